/** Limits that pause because a service has said when it takes calls again. */
import type { JournalRecord, TaskError } from "../../machine/records.ts";
import { type Run, specOf } from "../../machine/run.ts";
import type { RowMaker } from "../../ports/projections.ts";

/** A limit that gives out nothing for a while. */
export interface LimitPauseRow {
  readonly tenantId: string;
  readonly name: string;
  readonly key: string;
  readonly until: number;
  readonly since: number;
  readonly reason: string;
}

/** Responses whose `Retry-After` is about the service and not about the call. */
const BUSY: ReadonlySet<string> = new Set(["TOO_MANY_REQUESTS", "SERVICE_UNAVAILABLE"]);

function toPauseRow(run: Run, path: string, error: TaskError, at: number): LimitPauseRow | null {
  const slot = run.state.tasks.get(path)?.limitSlot ?? null;
  const delayMs = error.nextRetryDelayMs ?? 0;
  if (slot === null || delayMs <= 0 || !BUSY.has(error.type) || specOf(run, path).type !== "http") return null;
  const { name, key } = slot;
  const { tenantId } = run.state;
  return { tenantId, name, key, until: at + delayMs, since: at, reason: `${error.type}: ${error.message}` };
}

/** Attempts of `http` tasks that were told to come back later. */
export const limitPauseRows: RowMaker<Run, JournalRecord, LimitPauseRow> = {
  projection: "limit_pauses",
  on: {
    "task.retrying": (run, { task, error, at }) => toPauseRow(run, task, error, at),
    "task.failed": (run, { task, error, at }) => toPauseRow(run, task, error, at),
  },
};
