/** Converts tasks of runs to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type { JsonObject } from "../../base/json/json.ts";
import { externalIdOf, pathOf } from "../../engine/machine/external-ids.ts";
import { childIndex, parentPath, visitOf } from "../../engine/machine/paths.ts";
import type { DeadLetterReason, TaskError, Wait } from "../../engine/machine/records.ts";
import type { RunState, TaskState } from "../../engine/machine/state.ts";
import type { TaskSpec } from "../../flows/plan.ts";
import type { RunTask, TaskWait } from "../../gen/orchestrator/v1/run_pb.ts";
import { RunTaskSchema, TaskErrorSchema, TaskWaitSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import { DEAD_LETTER_REASON, SKIP_REASON, TASK_STATE } from "./enums.ts";
import type { PayloadRoom } from "./payload.ts";
import { toValuePayload } from "./payload.ts";
import type { PlanIndex } from "./plan-index.ts";
import { specAt } from "./plan-index.ts";
import type { ReadMask } from "./read-mask.ts";
import { toTimestamp } from "./time.ts";
import { toDetails } from "./workers/error-details.ts";

/** A task of a run with its spec, if the plan is known. A task that has not started has no state. */
export interface TaskView {
  readonly path: string;
  /** The name by which others know it; empty: its path. */
  readonly externalId: string;
  readonly spec: TaskSpec | undefined;
  readonly task: TaskState | undefined;
  readonly dependsOn: readonly string[];
}

/** Tasks of a run in flow order: children after their parent, visits of states in the order of entry. */
export function listTasks(state: RunState, index: PlanIndex | null): TaskView[] {
  const children = new Map<string, TaskState[]>();
  const rest: TaskState[] = [];
  for (const task of state.tasks.values()) {
    const parent = parentPath(task.path);
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), task]);
    else if (index?.tasks.get(task.path)?.expected !== true) rest.push(task);
  }
  const views: TaskView[] = [];
  const add = (path: string, task: TaskState | undefined): void => {
    views.push(toView(index, path, task));
    const below = children.get(path);
    if (below === undefined) return;
    for (const child of below.sort((a, b) => childIndex(a.path) - childIndex(b.path))) add(child.path, child);
  };
  for (const [id, planned] of index?.tasks ?? []) if (planned.expected) add(id, state.tasks.get(id));
  for (const task of rest) add(task.path, task);
  return views;
}

/**
 * A task by path or external id; null if the run has none. The id of a state means its latest started visit, that of a
 * compensation task the latest started compensation.
 */
export function findTask(state: RunState, index: PlanIndex | null, name: string): TaskView | null {
  const id = index === null ? name : pathOf(index.run.plan, name);
  const path = state.tasks.has(id) ? id : (latestOf(state, index, id) ?? id);
  const task = state.tasks.get(path);
  const planned = index?.tasks.get(path);
  if (task === undefined && planned?.expected !== true) return null;
  return toView(index, path, task);
}

function toView(index: PlanIndex | null, path: string, task: TaskState | undefined): TaskView {
  if (index === null) return { path, externalId: "", task, spec: undefined, dependsOn: [] };
  const externalId = externalIdOf(index.run.plan, path);
  const dependsOn = index.tasks.get(path)?.dependsOn ?? [];
  return { path, externalId: externalId === path ? "" : externalId, task, spec: specAt(index, path), dependsOn };
}

/** Path of the latest started task for the id of a state or compensation task. */
function latestOf(state: RunState, index: PlanIndex | null, id: string): string | undefined {
  const planned = index?.tasks.get(id);
  if (index === null || planned === undefined || planned.expected) return undefined;
  let latest: string | undefined;
  // Tasks are kept in the order in which they started.
  for (const path of state.tasks.keys()) if (specAt(index, path) === planned.spec) latest = path;
  return latest;
}

/** Converts a task. */
export function toRunTask(runId: string, view: TaskView, mask: ReadMask, room: PayloadRoom): RunTask {
  const { path, spec, task } = view;
  const shown = create(RunTaskSchema, {
    runId,
    taskId: path,
    externalId: view.externalId,
    parentTaskId: parentPath(path) ?? "",
    taskType: spec?.type ?? "",
    name: spec?.name ?? "",
    state: TASK_STATE[task?.state ?? "PENDING"],
    maxAttempts: spec === undefined ? 0 : (task?.limits?.maxRetries ?? spec.retry.maxRetries) + 1,
    iteration: visitOf(path)?.visit ?? 0,
    dependsOn: [...view.dependsOn],
  });
  if (task !== undefined) fillState(shown, task, mask, room);
  mask.prune(shown);
  return shown;
}

/** Why a task is a dead letter; null if it is not. A compensated task no longer is one. */
export function deadLetterOf(task: TaskState | undefined): DeadLetterReason | null {
  return task?.state === "FAILED" || task?.state === "TIMED_OUT" ? task.deadLetter : null;
}

/** `room`: of the response, if there may be many; null: there is one. */
export function toTaskError(
  { type, message, retryable, details }: TaskError,
  room: PayloadRoom | null = null,
): NonNullable<RunTask["error"]> {
  return create(TaskErrorSchema, { type, message, retryable, ...toDetails(details, room) });
}

/**
 * What a task waits for. `asked` is its evaluated parameters or the question of its graph; `token` is the sequence of
 * the record that started the wait.
 */
export function toWait(wait: Wait, dueAt: number | null, asked: unknown, token: number): TaskWait {
  const due = dueAt === null ? {} : { dueTime: toTimestamp(dueAt) };
  switch (wait.kind) {
    case "timer":
      return create(TaskWaitSchema, { kind: { case: "timer", value: due } });
    case "signal":
      return create(TaskWaitSchema, { kind: { case: "signal", value: { signalNames: [wait.name], ...due } } });
    case "approval":
      return create(TaskWaitSchema, {
        kind: { case: "approval", value: { approvalId: String(token), assignees: assigneesOf(asked), ...due } },
      });
    case "run":
      return create(TaskWaitSchema, { kind: { case: "childRun", value: { runId: wait.runId } } });
  }
}

/** Assignees in the parameters of an approval. */
export function assigneesOf(input: unknown): string[] {
  const { assignees } = (typeof input === "object" && input !== null ? input : {}) as JsonObject;
  return Array.isArray(assignees) ? assignees.filter((one): one is string => typeof one === "string") : [];
}

function fillState(shown: RunTask, task: TaskState, mask: ReadMask, room: PayloadRoom): void {
  if (task.reason !== null) shown.skipReason = SKIP_REASON[task.reason];
  shown.attempt = task.attempt;
  shown.generation = task.generation;
  if (task.state === "WAITING" && task.wait !== null)
    shown.wait = toWait(task.wait, task.dueAt, task.suspension?.value ?? task.input, task.token);
  const outputForm = mask.formOf("output");
  if (outputForm !== "none" && task.output !== undefined) {
    const output = toValuePayload(task.output, outputForm, `${shown.runId}/tasks/${task.path}/output`, room);
    if (output.case === "message") shown.outputValue = { case: "output", value: output.value };
    else if (output.case === "json") shown.outputValue = { case: "outputJson", value: output.value };
    else shown.outputValue = { case: "outputRef", value: output.value };
  }
  const inputForm = mask.formOf("input");
  if (inputForm !== "none" && task.input !== undefined) {
    const input = toValuePayload(task.input, inputForm, `${shown.runId}/tasks/${task.path}/input`, room);
    if (input.case === "message") shown.inputValue = { case: "input", value: input.value };
    else if (input.case === "json") shown.inputValue = { case: "inputJson", value: input.value };
    else shown.inputValue = { case: "inputRef", value: input.value };
  }
  if (task.error !== null && task.state !== "COMPLETED") shown.error = toTaskError(task.error, room);
  if (task.scheduledAt !== 0) shown.readyTime = toTimestamp(task.scheduledAt);
  if (task.startedAt !== 0) shown.startTime = toTimestamp(task.startedAt);
  if (task.endedAt !== 0) shown.endTime = toTimestamp(task.endedAt);
  if (task.state === "RETRYING" && task.dueAt !== null) shown.nextAttemptTime = toTimestamp(task.dueAt);
  const reason = deadLetterOf(task);
  shown.deadLetter = reason !== null;
  if (reason !== null) shown.deadLetterReason = DEAD_LETTER_REASON[reason];
}
