/** Converts routed tasks to messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type { RunState } from "../../../engine/machine/state.ts";
import type {
  RoutedTaskState as RoutedTaskStateName,
  RoutedTaskView,
} from "../../../engine/ports/routing/routed-tasks.ts";
import { answerOf, routedTaskOf } from "../../../engine/runs/routed/routed-task.ts";
import { ROUTE_TASK } from "../../../flows/builtin/route.ts";
import { type RoutedTask, RoutedTaskSchema, RoutedTaskState } from "../../../gen/orchestrator/v1/routed_task_pb.ts";
import { createPayloadRoom, encodeJson, type PayloadLimits, toRef, toValuePayload } from "../payload.ts";
import type { ReadMask } from "../read-mask.ts";
import { toTaskError } from "../task.ts";
import { toDuration, toTimestamp } from "../time.ts";

const STATE = {
  PENDING: RoutedTaskState.PENDING,
  SUCCESS: RoutedTaskState.SUCCESS,
  ERROR: RoutedTaskState.ERROR,
  TIMEOUT: RoutedTaskState.TIMEOUT,
} as const satisfies Record<RoutedTaskStateName, RoutedTaskState>;

const STATE_NAMES: ReadonlyMap<number, RoutedTaskStateName> = new Map(
  (Object.keys(STATE) as RoutedTaskStateName[]).map((name) => [STATE[name], name]),
);

/** The state that a request names; null: none. */
export function fromRoutedTaskState(state: RoutedTaskState): RoutedTaskStateName | null {
  return STATE_NAMES.get(state) ?? null;
}

/** Converts a line of a list. */
export function toListedTask(view: RoutedTaskView, now: number): RoutedTask {
  return create(RoutedTaskSchema, {
    taskId: view.taskId,
    tenantId: view.tenantId,
    service: view.service,
    method: view.method,
    path: view.path,
    state: STATE[view.state],
    targetUrl: view.targetUrl,
    responseStatus: view.responseStatus,
    retryCount: view.retryCount,
    duration: toDuration(Math.max(0, (view.endedAt ?? now) - view.createdAt)),
    createTime: toTimestamp(view.createdAt),
    ...(view.endedAt === null ? {} : { endTime: toTimestamp(view.endedAt) }),
  });
}

/** Converts the run that a task is. */
export function toRoutedTask(state: RunState, now: number, mask: ReadMask, limits: PayloadLimits): RoutedTask {
  const task = toListedTask(routedTaskOf(state), now);
  const call = state.tasks.get(ROUTE_TASK);
  const room = createPayloadRoom(limits);
  const answer = answerOf(call);
  if (answer !== null) setResponse(task, state.runId, answer.body, call?.output ?? null, mask, limits);
  else if (call !== undefined && call.error !== null) task.error = toTaskError(call.error, room);
  if (state.facts.context !== null) task.contextJson = encodeJson(state.facts.context);
  mask.prune(task);
  return task;
}

type Json = Parameters<typeof encodeJson>[0];

/** A body that does not fit is referred to with what it is a part of: payloads are what tasks give. */
function setResponse(
  task: RoutedTask,
  runId: string,
  body: Json,
  output: Json,
  mask: ReadMask,
  limits: PayloadLimits,
): void {
  const form = mask.formOf("response");
  if (form === "none") return;
  const place = `${runId}/tasks/${ROUTE_TASK}/output`;
  const out = toValuePayload(body, form, place, createPayloadRoom(limits));
  if (out.case === "message") task.responseValue = { case: "response", value: out.value };
  else if (out.case === "json") task.responseValue = { case: "responseJson", value: out.value };
  else task.responseValue = { case: "responseRef", value: toRef(place, encodeJson(output)) };
}
