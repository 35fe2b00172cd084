import { type OrchestratorError, toError } from "../../base/errors.ts";

/** INVALID_REQUEST for one field. */
export function fieldError(field: string, description: string, cause?: unknown): OrchestratorError {
  const name = field.slice(0, 200);
  return toError(
    "INVALID_REQUEST",
    { problem: `${name}: ${description}`, field: name },
    { cause, violations: [{ field: name, description }] },
  );
}
