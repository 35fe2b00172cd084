/** Reads a routed task from the run that it is. */
import { isJsonObject, type Json } from "../../../base/json/json.ts";
import { statusOfType } from "../../../base/net/http-status.ts";
import { ROUTE_FLOW } from "../../../flows/builtin/ids.ts";
import { ROUTE_TASK } from "../../../flows/builtin/route.ts";
import { isTerminalPhase, type RunState, type TaskState } from "../../machine/state.ts";
import type { RoutedTaskState, RoutedTaskView } from "../../ports/routing/routed-tasks.ts";

/** Whether a run is a routed task. */
export function isRoutedTask({ flowId, facts }: Pick<RunState, "flowId" | "facts">): boolean {
  return flowId === ROUTE_FLOW && facts.parent === null;
}

/** The task that a run is. */
export function routedTaskOf(state: RunState): RoutedTaskView {
  const call = state.tasks.get(ROUTE_TASK);
  const answer = answerOf(call);
  const { service, method, path, target_url: target } = state.vars;
  return {
    taskId: state.runId,
    tenantId: state.tenantId,
    service: textOf(service),
    method: textOf(method),
    path: textOf(path),
    targetUrl: answer === null ? textOf(target) : answer.url,
    state: stateOf(state, call, answer?.status),
    responseStatus: answer?.status ?? statusOfType(call?.error?.type ?? ""),
    retryCount: Math.max(0, (call?.attempt ?? 0) - 1),
    createdAt: state.createdAt,
    endedAt: state.endedAt === 0 ? null : state.endedAt,
  };
}

/** What the service answered with an expected status; null: nothing yet, or nothing at all. */
export function answerOf(
  call: TaskState | undefined,
): { readonly status: number; readonly url: string; readonly body: Json } | null {
  const output = call?.output ?? null;
  if (!isJsonObject(output) || typeof output["status"] !== "number") return null;
  return { status: output["status"], url: textOf(output["url"]), body: output["body"] ?? null };
}

function stateOf(state: RunState, call: TaskState | undefined, status: number | undefined): RoutedTaskState {
  if (!isTerminalPhase(state.phase)) return "PENDING";
  if (status !== undefined) return status >= 200 && status <= 299 ? "SUCCESS" : "ERROR";
  return state.phase === "TIMED_OUT" || call?.state === "TIMED_OUT" || call?.error?.type === "TIMEOUT"
    ? "TIMEOUT"
    : "ERROR";
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
