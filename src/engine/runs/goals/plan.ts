/** Reads the plan of a goal from the run that does it. */
import { childRunId } from "../../../base/ids.ts";
import { isJsonObject, type JsonObject } from "../../../base/json/json.ts";
import { GOAL_RESULT } from "../../../flows/builtin/goal.ts";
import { PLAN_STATES } from "../../../flows/builtin/goal-work.ts";
import { isTerminalPhase, type RunState, type TaskState } from "../../machine/state.ts";
import type { GoalPlan } from "../../ports/gate/goals.ts";
import type { DraftEstimate } from "../../ports/generation/generations.ts";

/** Id of the run that plans and does a goal; null: it has not begun, or its result comes from elsewhere. */
export function workRunIdOf({ runId, tasks }: RunState): string | null {
  const task = tasks.get(GOAL_RESULT);
  return task === undefined ? null : childOf(runId, task);
}

/** Ids of the runs that the work consists of, as far as they have begun. */
export function listPartRuns(work: RunState): readonly string[] {
  return [PLAN_STATES.draft, PLAN_STATES.do].flatMap((state) => partRunId(work, state) ?? []);
}

/** The plan, as far as it is. `parts`: what {@link listPartRuns} names. */
export function planOf(work: RunState, parts: readonly RunState[]): GoalPlan {
  const output = taskOf(work, PLAN_STATES.draft)?.output ?? null;
  const { text = "", hash = "", estimate = null } = isJsonObject(output) ? (output as JsonObject) : {};
  const open = [...work.approvals.values()].find(({ state }) => state === "PENDING");
  return {
    workRunId: work.runId,
    text: hash === "" ? "" : String(text),
    hash: String(hash),
    estimate: estimate as unknown as DraftEstimate | null,
    approvalId: open === undefined ? null : open.id,
    runId: partRunId(work, PLAN_STATES.do),
    waitingReason: [work, ...parts].map(whyHeld).find((why) => why !== "") ?? "",
  };
}

function partRunId(work: RunState, state: string): string | null {
  const task = taskOf(work, state);
  return task === undefined ? null : childOf(work.runId, task);
}

/** The task of a state of the work, at its last visit; undefined: it has not begun. */
export function taskOf({ tasks, fsm }: RunState, state: string): TaskState | undefined {
  return tasks.get(`${state}~${fsm?.visits.get(state) ?? 1}`);
}

/** The child run that a task waits for, or has waited for. Tasks that wait for something else have none. */
function childOf(runId: string, { path, wait, input, attempt }: TaskState): string | null {
  if (wait !== null) return wait.kind === "run" ? wait.runId : null;
  const isSubflow = input !== undefined && isJsonObject(input) && "flow_id" in input;
  return isSubflow ? childRunId(runId, path, attempt) : null;
}

/** Holds of parents say no more than those of the run itself. */
function whyHeld({ runId, phase, holds }: RunState): string {
  const hold = holds.find(({ kind }) => kind !== "parent");
  if (isTerminalPhase(phase) || hold === undefined) return "";
  return `the run ${runId} is held (${hold.kind})${hold.why === "" ? "" : `: ${hold.why}`}`;
}
