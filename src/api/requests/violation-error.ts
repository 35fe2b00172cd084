import { type FieldViolation, type OrchestratorError, toError } from "../../base/errors.ts";

/** INVALID_REQUEST for the violations of a request, of which there is at least one. */
export function violationError(violations: readonly FieldViolation[]): OrchestratorError {
  const [first] = violations;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  const problem = `${first?.field}: ${first?.description}${more}`;
  return toError("INVALID_REQUEST", { problem, field: first?.field ?? "" }, { violations });
}
