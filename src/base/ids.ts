/**
 * Ids of entities: at most 128 letters, digits, `.`, `_`, `-`, and `~`, which need no escaping in the path of a URL.
 *
 *   01kb3x…         a run, minted by the service: 26 characters of Crockford's base32 in lower case, 10 of time
 *                   (milliseconds), 2 of shard, 14 random. They sort by time and identify the shard. With more than
 *                   1,024 shards the shard has 3 characters, and the id 27
 *   550e8400-e29b…  a run of a routed task: a random UUID, drawn until its hash falls on a shard of the instance
 *   order-17        a run, chosen by the caller: at most 100 characters and no `~`; lives on the shard of its hash
 *   order-17~8c0f…  a child run, at any depth: the id of its root, `~`, and 16 characters of base32 that are derived
 *                   from its parent, its task, and the attempt. It lives with its root
 *   op~01kb3x…      an operation, minted by the service: `op~` and 27 characters, with 3 of shard
 *   op~8c0f…        an operation that was started with a request id: `op~` and 26 characters that are derived from it;
 *                   lives on the shard of its hash
 *
 * Older releases built the id of a child from its parent's id, a colon, and the path of the task, and drew the 26
 * characters of every operation at random; such runs and operations are still found.
 */
import { createHash, randomFillSync, randomUUID } from "node:crypto";

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < DIGITS.length; value += 1) VALUES[DIGITS.charCodeAt(value)] = value;

const TIME_LENGTH = 10;
const RANDOM_LENGTH = 14;
/** Characters of the shard in ids, and the number of shards up to which the ids of runs have the fewer ones. */
const SHARD_LENGTH = 2;
const LONG_SHARD_LENGTH = 3;
const FEW_SHARDS = 1_024;
const MINTED_LENGTH = TIME_LENGTH + SHARD_LENGTH + RANDOM_LENGTH;
const LONG_MINTED_LENGTH = TIME_LENGTH + LONG_SHARD_LENGTH + RANDOM_LENGTH;
/** The first digit of a minted id's time: 0 until the year 3084. */
const MINTED_FIRST = "0";

const pool = new Uint8Array(RANDOM_LENGTH * 256);
let poolAt = pool.length;

/** Buffer for an id under construction: concatenating single characters would create a rope. */
const draft = Buffer.alloc(LONG_MINTED_LENGTH);

/** Number of characters of a child's id after the mark: 80 bits. */
const CHILD_LENGTH = 16;
const CHILD_MARK = "~";

/** Keeps the ids of operations apart from those that callers choose for runs. */
const OPERATION_PREFIX = "op~";
const KEYED_LENGTH = 26;

/** Creates a run id on `shard`, one of `shards`, at `now`, milliseconds since the epoch. */
export function mintRunId(shard: number, shards: number, now: number): string {
  return mint(shard, shards > FEW_SHARDS ? LONG_SHARD_LENGTH : SHARD_LENGTH, now);
}

/** Creates an operation id on `shard` at `now`, milliseconds since the epoch. */
export function mintOperationId(shard: number, now: number): string {
  return OPERATION_PREFIX + mint(shard, LONG_SHARD_LENGTH, now);
}

/** Returns the id of the operation that a request id starts: the same for the same tenant and request id. */
export function keyedOperationId(tenantId: string, requestId: string): string {
  return OPERATION_PREFIX + hashDigits([tenantId, requestId], KEYED_LENGTH);
}

/**
 * Returns the id of the run that a task starts. It is derived from parent, path, and attempt, so starting the run twice
 * starts it once.
 */
export function childRunId(parentRunId: string, path: string, attempt: number): string {
  return rootOf(parentRunId) + CHILD_MARK + hashDigits([parentRunId, path, attempt], CHILD_LENGTH);
}

/** Returns the root of the chain of parents, which is the run itself when it has no parent. */
export function rootOf(runId: string): string {
  const mark = runId.length - CHILD_LENGTH - 1;
  if (mark > 0 && runId[mark] === CHILD_MARK && isBase32(runId, mark + 1)) return runId.slice(0, mark);
  // Ids that begin with a colon belong to entities that are not runs.
  const colon = runId.indexOf(":");
  return colon <= 0 ? runId : runId.slice(0, colon);
}

/** Returns the shard of an entity, out of `shards`. */
export function shardOf(id: string, shards: number): number {
  const root = rootOf(id);
  const minted = mintedShard(root, shards);
  return minted >= 0 && minted < shards ? minted : hashText(root) % shards;
}

/** Draws random UUIDs (version 4) until `accepts` takes the shard of one, out of `shards`. It must take some shard. */
export function drawUuid(shards: number, accepts: (shard: number) => boolean): string {
  for (;;) {
    const id = randomUUID();
    if (accepts(shardOf(id, shards))) return id;
  }
}

/** Returns true when an id has the form of a minted id of a run; callers may not choose such an id. */
export function isMintedRunId(runId: string, shards: number): boolean {
  return !runId.startsWith(OPERATION_PREFIX) && mintedShard(runId, shards) >= 0;
}

/** Returns the days from 1970 to a time: the partition of a run's journal. */
export function dayOf(at: number): number {
  return Math.floor(at / 86_400_000);
}

/** Returns the unsigned 32-bit hash of a text (FNV-1a over UTF-16 units, then mixed); stable forever. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

/** Returns a 31-bit hash of the parts of a key, from which its home follows; stable forever. */
export function hashKey(parts: readonly string[]): number {
  return hashText(JSON.stringify(parts)) >>> 1;
}

function mint(shard: number, shardLength: number, now: number): string {
  const length = TIME_LENGTH + shardLength + RANDOM_LENGTH;
  writeDigits(now, 0, TIME_LENGTH);
  writeDigits(shard, TIME_LENGTH, shardLength);
  if (poolAt >= pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  for (let at = TIME_LENGTH + shardLength; at < length; at += 1)
    draft[at] = DIGITS.charCodeAt((pool[poolAt++] ?? 0) & 31);
  return draft.toString("latin1", 0, length);
}

function hashDigits(parts: readonly (string | number)[], length: number): string {
  const bytes = createHash("sha256").update(JSON.stringify(parts)).digest();
  let digits = "";
  for (let at = 0; at < length; at += 1) digits += DIGITS[(bytes[at] ?? 0) & 31];
  return digits;
}

/** Returns the shard that a minted id names; -1 for other ids. */
function mintedShard(id: string, shards: number): number {
  const from = id.startsWith(OPERATION_PREFIX) ? OPERATION_PREFIX.length : 0;
  const length = id.length - from;
  const isLong = length === LONG_MINTED_LENGTH && (from > 0 || shards > FEW_SHARDS);
  if (!isLong && (length !== MINTED_LENGTH || from > 0)) return -1;
  if (id[from] !== MINTED_FIRST || !isBase32(id, from)) return -1;
  let shard = 0;
  const end = from + TIME_LENGTH + (isLong ? LONG_SHARD_LENGTH : SHARD_LENGTH);
  for (let at = from + TIME_LENGTH; at < end; at += 1) shard = shard * 32 + (VALUES[id.charCodeAt(at)] ?? 0);
  return shard;
}

function isBase32(id: string, from: number): boolean {
  for (let at = from; at < id.length; at += 1) if ((VALUES[id.charCodeAt(at)] ?? -1) < 0) return false;
  return true;
}

function writeDigits(value: number, from: number, length: number): void {
  let rest = value;
  for (let at = from + length - 1; at >= from; at -= 1) {
    draft[at] = DIGITS.charCodeAt(rest % 32);
    rest = Math.floor(rest / 32);
  }
}

/** How the request ids of starts begin that events of triggers make. */
export const TRIGGER_REQUESTS = "trigger/";
