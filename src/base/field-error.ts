import { type OrchestratorError, toError } from "./errors.ts";

/** INVALID_REQUEST for one field; an empty name stands for the request as a whole. */
export function fieldError(field: string, description: string, cause?: unknown): OrchestratorError {
  const name = field.slice(0, 200);
  return toError(
    "INVALID_REQUEST",
    { problem: name === "" ? description : `${name}: ${description}`, field: name },
    { cause, violations: [{ field: name, description }] },
  );
}

/** Throws INVALID_REQUEST for one field. */
export function refuseField(field: string, description: string): never {
  throw fieldError(field, description);
}
