/** The refusals of the engine that mean: not here, and nothing has happened. */
import { isOrchestratorError, type OrchestratorError } from "../../base/errors.ts";

const ELSEWHERE: ReadonlySet<string> = new Set(["RUN_MOVED", "OPERATION_MOVED", "NO_SHARD"]);

/** The refusals that mean: not here, and nothing has happened. */
export function isElsewhere(error: unknown): error is OrchestratorError {
  return isOrchestratorError(error) && ELSEWHERE.has(error.code);
}

/** The run or operation that decides where the call belongs; empty for a start that may go anywhere. */
export function runIdOf({ code, details }: OrchestratorError): string {
  return code === "NO_SHARD" ? "" : String(details.runId ?? details.operationId ?? "");
}
