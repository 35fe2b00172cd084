/**
 * Ids of runs that requests start.
 *
 *   redis-3f0c…-0mb1xyz12-17    pub/sub: digits of the hash of the message, when its owner saw it, and a number that
 *                               puts the run on the shard of the hash
 *   redis-91ad…                 Streams: digits of the hash of Stream, entry, and message
 *
 * Every instance knows from the message alone which shard it belongs to, and its owner alone when it was seen. All ids
 * of a message lie beside each other, so whether it has started a run is one look at the primary key of runs.
 */
import { createHash } from "node:crypto";
import type { IdRange } from "../../../engine/ports/bus/started-runs.ts";
import type { RedisMessage } from "../messages.ts";

const PREFIX = "redis-";
const HASH_DIGITS = 24;
const TIME_DIGITS = 9;

/** What all ids of a message of pub/sub begin with. */
export function stemOf({ source, value }: Pick<RedisMessage, "source" | "value">): string {
  return `${PREFIX}${hashOf([source, value]).slice(0, HASH_DIGITS)}-`;
}

/** The id of the run of an entry: the same whenever the entry is read. */
export function idOfEntry({ source, entryId, value }: RedisMessage): string {
  return PREFIX + hashOf([source, entryId ?? "", value]).slice(0, HASH_DIGITS + 8);
}

/** The id of the run of a message that was seen at `at`, on the shard of its stem. */
export function idAt(stem: string, at: number, shardOf: (id: string) => number): string {
  const shard = shardOf(stem);
  for (let number = 0; ; number += 1) {
    const id = `${stem}${toDigits(at)}-${number}`;
    if (shardOf(id) === shard) return id;
  }
}

/** All ids of messages with a stem that were seen in a time. */
export function idsBetween(stem: string, from: number, to: number): IdRange {
  return { from: stem + toDigits(from), to: stem + toDigits(to + 1) };
}

/** When the owner saw the message of a run. */
export function timeOf(stem: string, id: string): number {
  return Number.parseInt(id.slice(stem.length, stem.length + TIME_DIGITS), 36);
}

function toDigits(at: number): string {
  return Math.floor(Math.max(at, 0)).toString(36).padStart(TIME_DIGITS, "0");
}

function hashOf(parts: readonly (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
}
