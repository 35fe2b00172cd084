/** Messages for agents, as they are published. See `contracts/agents`. */
import { toTraceFields } from "../../../base/traces/trace-context.ts";
import type { AgentRequest } from "../../../engine/ports/dispatch/agents.ts";

const decoder = new TextDecoder();

/** The request as JSON text. Its parameters are the JSON text that the engine made. */
export function writeRequest({ kind, token, task }: AgentRequest): string {
  const head = JSON.stringify({
    correlation_id: token,
    task_type: kind,
    execution_id: task.runId,
    task_id: task.path,
    attempt: task.attempt - 1,
    timeout: task.timeoutMs === null ? null : task.timeoutMs / 1_000,
    workflow_correlation_id: task.correlationId || null,
    ...toTraceFields(task.trace),
  });
  return `${head.slice(0, -1)},"parameters":${decoder.decode(task.inputJson)}}`;
}

/** The request to stop a task, as JSON text. */
export function writeCancel(token: string, reason: string): string {
  return JSON.stringify({ correlation_id: token, reason });
}
