/**
 * Places of answers in their logs. An answer that comes again, because its reader died before it had noted the
 * position, must not end a later attempt. The record that ends an attempt has the place of the answer that ended it;
 * whatever was written to that log before cannot be about an attempt that began after.
 */
import type { JournalRecord, Place } from "../records.ts";
import type { TaskState } from "../state.ts";

/** Returns true for an answer that was applied to the task before, or was written before one that was. */
export function isRepeated({ places }: TaskState, { log, epoch, offset }: Place): boolean {
  const last = places.find((place) => place.log === log);
  return last !== undefined && (epoch < last.epoch || (epoch === last.epoch && offset <= last.offset));
}

/** The places of a task after an answer at `place`: the last one of each log. */
export function withPlace(places: readonly Place[], place: Place | undefined): readonly Place[] {
  if (place === undefined) return places;
  return [...places.filter(({ log }) => log !== place.log), place];
}

/** The records of an attempt that an answer at `place` ended: those after which the task may be tried again have it. */
export function placed(records: readonly JournalRecord[], place: Place | undefined): readonly JournalRecord[] {
  if (place === undefined) return records;
  return records.map((record) =>
    record.type === "task.retrying" || record.type === "task.failed" ? { ...record, place } : record,
  );
}
