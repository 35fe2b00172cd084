/**
 * Compatibility with releases that wrote the paths of tasks as `poll#2` and `pay/compensate`: readers of the journal
 * get such records with current paths.
 */
import { toPath } from "./paths.ts";
import type { Cause, JournalRecord, RunError } from "./records.ts";

/** Returns the records with current paths, or the same list when there is nothing to change. Values are not touched. */
export function withNewPaths(records: readonly JournalRecord[]): readonly JournalRecord[] {
  return records.some(hasOldPath) ? records.map(renew) : records;
}

function hasOldPath(record: JournalRecord): boolean {
  return pathsOf(record).some((path) => toPath(path) !== path);
}

function pathsOf(record: JournalRecord): readonly string[] {
  if ("task" in record) return [record.task];
  switch (record.type) {
    case "run.started":
      return record.facts.parent ? [record.facts.parent.task] : NONE;
    case "run.failed":
      return record.error.task === null ? NONE : [record.error.task];
    case "run.ending":
      return record.cause.error?.task ? [record.cause.error.task] : NONE;
    case "run.compensating":
      return record.order;
    default:
      return NONE;
  }
}

const NONE: readonly string[] = [];

function renew(record: JournalRecord): JournalRecord {
  if ("task" in record) return { ...record, task: toPath(record.task) };
  switch (record.type) {
    case "run.started": {
      const { parent } = record.facts;
      if (!parent) return record;
      return { ...record, facts: { ...record.facts, parent: { ...parent, task: toPath(parent.task) } } };
    }
    case "run.failed":
      return { ...record, error: ofTask(record.error) };
    case "run.ending":
      return { ...record, cause: ofCause(record.cause) };
    case "run.compensating":
      return { ...record, cause: ofCause(record.cause), order: record.order.map(toPath) };
    default:
      return record;
  }
}

function ofCause(cause: Cause): Cause {
  return cause.error === null ? cause : { ...cause, error: ofTask(cause.error) };
}

function ofTask(error: RunError): RunError {
  return error.task === null ? error : { ...error, task: toPath(error.task) };
}
