/** Errors of goals. */
import { type CatalogueEntry, entry } from "./entry.ts";

/** A part of the catalog; see `../error-catalog.ts` for its rules. */
export const GOAL_ERRORS = {
  GOAL_NOT_FOUND: entry("NOT_FOUND", 404, "no", "goal {goalId} does not exist"),
  GOAL_REFUSED: entry("PERMISSION_DENIED", 403, "no", "Safety check failed: {reason}", "rule"),
  SAFETY_CHECK_UNAVAILABLE: entry(
    "UNAVAILABLE",
    503,
    "yes",
    "the goal cannot be checked: {problem}; nothing is stored",
  ),
  // How goals fail
  CRITERIA_NOT_MET: entry("FAILED_PRECONDITION", 409, "no", 'the criterion "{criterion}" is not met: {reason}'),
  JUDGE_UNREADABLE: entry("FAILED_PRECONDITION", 409, "no", "the answer of the judge cannot be read: {problem}"),
  JUDGE_FAILED: entry("FAILED_PRECONDITION", 409, "no", "the result was not judged: {problem}"),
} as const satisfies Record<string, CatalogueEntry>;
