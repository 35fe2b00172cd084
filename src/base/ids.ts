/**
 * Run ids: at most 128 letters, digits, `.`, `_`, `-`, and `~`, which need no escaping in the path of a URL.
 *
 *   01kb3x…         26 characters of Crockford's base32 in lower case, minted by the service: 10 of time
 *                   (milliseconds), 2 of shard, 14 random. They sort by time and identify the shard of the run
 *   order-17        chosen by the caller, at most 100 characters and no `~`; lives on the shard of its hash
 *   order-17~8c0f…  a child run, at any depth: the id of its root, `~`, and 16 characters of base32 that are derived
 *                   from its parent, its task, and the attempt. It lives with its root
 *
 * Older releases built the id of a child from its parent's id, a colon, and the path of the task; such runs are still
 * found.
 */
import { createHash, randomFillSync } from "node:crypto";

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < DIGITS.length; value += 1) VALUES[DIGITS.charCodeAt(value)] = value;

const TIME_LENGTH = 10;
const SHARD_LENGTH = 2;
const RANDOM_LENGTH = 14;
const MINTED_LENGTH = TIME_LENGTH + SHARD_LENGTH + RANDOM_LENGTH;
/** The first digit of a minted id's time: 0 until the year 3084. */
const MINTED_FIRST = "0";

const pool = new Uint8Array(RANDOM_LENGTH * 256);
let poolAt = pool.length;

/** Buffer for an id under construction: concatenating single characters would create a rope. */
const draft = Buffer.alloc(MINTED_LENGTH);

/** Number of characters of a child's id after the mark: 80 bits. */
const CHILD_LENGTH = 16;
const CHILD_MARK = "~";

/** Creates a run id on `shard` (0 to 1023) at `now`, milliseconds since the epoch. */
export function mintRunId(shard: number, now: number): string {
  writeDigits(now, 0, TIME_LENGTH);
  writeDigits(shard, TIME_LENGTH, SHARD_LENGTH);
  if (poolAt >= pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  for (let at = TIME_LENGTH + SHARD_LENGTH; at < MINTED_LENGTH; at += 1)
    draft[at] = DIGITS.charCodeAt((pool[poolAt++] ?? 0) & 31);
  return draft.toString("latin1");
}

/**
 * Returns the id of the run that a task starts. It is derived from parent, path, and attempt, so starting the run twice
 * starts it once.
 */
export function childRunId(parentRunId: string, path: string, attempt: number): string {
  const bytes = createHash("sha256")
    .update(JSON.stringify([parentRunId, path, attempt]))
    .digest();
  let id = rootOf(parentRunId) + CHILD_MARK;
  for (let at = 0; at < CHILD_LENGTH; at += 1) id += DIGITS[(bytes[at] ?? 0) & 31];
  return id;
}

/** Returns the root of the chain of parents, which is the run itself when it has no parent. */
export function rootOf(runId: string): string {
  const mark = runId.length - CHILD_LENGTH - 1;
  if (mark > 0 && runId[mark] === CHILD_MARK && isBase32(runId, mark + 1)) return runId.slice(0, mark);
  // Ids that begin with a colon belong to entities that are not runs.
  const colon = runId.indexOf(":");
  return colon <= 0 ? runId : runId.slice(0, colon);
}

/** Returns the shard of a run, out of `shards`. */
export function shardOfRun(runId: string, shards: number): number {
  const root = rootOf(runId);
  const minted = mintedShard(root);
  return minted >= 0 && minted < shards ? minted : hashText(root) % shards;
}

/** Returns true when an id has the form of a minted id; callers may not choose such an id. */
export function isMintedRunId(runId: string): boolean {
  return mintedShard(runId) >= 0;
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

function mintedShard(id: string): number {
  if (id.length !== MINTED_LENGTH || id[0] !== MINTED_FIRST) return -1;
  if (!isBase32(id, 0)) return -1;
  return (VALUES[id.charCodeAt(TIME_LENGTH)] ?? 0) * 32 + (VALUES[id.charCodeAt(TIME_LENGTH + 1)] ?? 0);
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
