/** Errors of the engine that mean: not on this instance, and nothing has happened. */
import { isOrchestratorError, type OrchestratorError } from "../../base/errors.ts";

const ELSEWHERE: ReadonlySet<string> = new Set(["RUN_MOVED", "OPERATION_MOVED", "NO_SHARD"]);

/** Whether an error means that another instance must handle the call, and nothing has happened. */
export function isElsewhere(error: unknown): error is OrchestratorError {
  return isOrchestratorError(error) && ELSEWHERE.has(error.code);
}

/** The run or operation by which the call is routed; empty for a start that can go anywhere. */
export function runIdOf({ code, details }: OrchestratorError): string {
  return code === "NO_SHARD" ? "" : String(details.runId ?? details.operationId ?? "");
}
