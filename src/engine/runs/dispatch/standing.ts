/** The answer to a repeated report about an attempt that has ended. */
import type { Json } from "../../../base/json/json.ts";
import type { Outcome } from "../../machine/events.ts";
import type { TaskState } from "../../machine/state.ts";
import { isEnded } from "../../machine/tasks/task-ends.ts";
import type { AlreadyReported } from "../../ports/dispatch/hand-overs.ts";

/** The answer to `outcome` for the last hand-over of `task`, which is over. */
export function standingOf(task: TaskState, outcome: Outcome): "accepted" | "outdated" | AlreadyReported {
  // It waits for its next hand-over.
  if (!isEnded(task) && task.state !== "RETRYING") return "outdated";
  if (isSame(task, outcome)) return "accepted";
  const { state, output, error } = task;
  return { standing: "already_reported", state, outputType: output === undefined ? "" : typeOf(output), error };
}

/** True when the attempt ended as `outcome` says. A worker that stopped reports the error `CANCELED`. */
export function isSame({ state, output, error }: TaskState, outcome: Outcome): boolean {
  if (outcome.ok) return state === "COMPLETED" && JSON.stringify(output) === JSON.stringify(outcome.output);
  if (state === "CANCELED" && outcome.error.type === "CANCELED") return true;
  const { type, message, details } = outcome.error;
  return error?.type === type && error.message === message && JSON.stringify(error.details) === JSON.stringify(details);
}

function typeOf(value: Json): AlreadyReported["outputType"] {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : (typeof value as "boolean" | "number" | "string" | "object");
}
