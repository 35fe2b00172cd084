import type { JsonObject } from "../../../base/json/json.ts";
import type { TaskType } from "../../../tasks/define.ts";
import { TASK_TYPES } from "../../../tasks/index.ts";
import type { Outcome } from "../../machine/events.ts";
import { type Run, specOf } from "../../machine/run.ts";

/** What the type of a task makes of the answer to it. */
export function toResult(run: Run, path: string, outcome: Outcome): Outcome {
  if (!outcome.ok) return outcome;
  const { leaving }: TaskType = TASK_TYPES[specOf(run, path).type];
  if (leaving?.toResult === undefined) return outcome;
  const { ok: _, output, ...rest } = outcome;
  return { ...rest, ...leaving.toResult((run.state.tasks.get(path)?.input ?? {}) as JsonObject, output) };
}
