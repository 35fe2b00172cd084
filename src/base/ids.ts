/**
 * Run ids. Those that the server mints are 26 characters of Crockford's base32 in lower case: 10 of time (milliseconds), 2 of shard, 14 random.
 * They sort by time and say where the run lives. Ids that callers choose live on the shard of their hash. A child run's id is its parent's id, a colon
 * and the path of the task, and it lives with its parent.
 */
import { randomFillSync } from "node:crypto";

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

/** An id under construction: a text that is put together from single characters is a tree of them. */
const draft = Buffer.alloc(MINTED_LENGTH);

/** A new run id on `shard` (0 to 1023) made at `now`, milliseconds since the epoch. */
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

/** Shard of a run, one of `shards`. */
export function shardOfRun(runId: string, shards: number): number {
  const colon = runId.indexOf(":");
  // Ids that begin with a colon are those of entities which are no runs.
  const root = colon <= 0 ? runId : runId.slice(0, colon);
  const minted = mintedShard(root);
  return minted >= 0 && minted < shards ? minted : hashText(root) % shards;
}

/** True when an id has the form of a minted one; callers may not choose such an id. */
export function isMintedRunId(runId: string): boolean {
  return mintedShard(runId) >= 0;
}

/** Days since 1970 of a time: the partition of a run's journal. */
export function dayOf(at: number): number {
  return Math.floor(at / 86_400_000);
}

/** Hash of a text, unsigned 32 bit (FNV-1a over UTF-16 units, then mixed); stable for ever. */
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
  for (let index = 0; index < MINTED_LENGTH; index += 1) if ((VALUES[id.charCodeAt(index)] ?? -1) < 0) return -1;
  return (VALUES[id.charCodeAt(TIME_LENGTH)] ?? 0) * 32 + (VALUES[id.charCodeAt(TIME_LENGTH + 1)] ?? 0);
}

function writeDigits(value: number, from: number, length: number): void {
  let rest = value;
  for (let at = from + length - 1; at >= from; at -= 1) {
    draft[at] = DIGITS.charCodeAt(rest % 32);
    rest = Math.floor(rest / 32);
  }
}
