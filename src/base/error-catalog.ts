/**
 * The only table of error codes of the product, written in families. A code is stable forever: its name, gRPC code, and
 * HTTP status never change, and it is never reused. The sentence may change. `{name}` in a sentence is filled from the
 * details, which are also sent as ErrorInfo metadata.
 */
import { CLIENT_ERRORS } from "./error-catalog/clients.ts";
import type { CatalogueEntry } from "./error-catalog/entry.ts";
import { FLOW_ERRORS } from "./error-catalog/flows.ts";
import { GENERATION_ERRORS } from "./error-catalog/generations.ts";
import { GOAL_ERRORS } from "./error-catalog/goals.ts";
import { REQUEST_ERRORS } from "./error-catalog/requests.ts";
import { RUN_ERRORS } from "./error-catalog/runs.ts";
import { SERVICE_ERRORS } from "./error-catalog/service.ts";

/**
 * Every error code of the product, in the order of the families: gRPC code, HTTP status, retry class, public sentence,
 * further metadata keys. `docs/errors.md` and the enum `ErrorReason` of the contract are generated from it. UNAVAILABLE
 * and RESOURCE_EXHAUSTED are reserved for errors that may be retried: generic clients retry both.
 */
export const ERRORS = {
  ...REQUEST_ERRORS,
  ...FLOW_ERRORS,
  ...RUN_ERRORS,
  ...SERVICE_ERRORS,
  ...CLIENT_ERRORS,
  ...GOAL_ERRORS,
  ...GENERATION_ERRORS,
} as const satisfies Record<string, CatalogueEntry>;

/** Codes that nothing raises yet: they are reserved for planned features. A test checks the list against the code. */
export const RESERVED_CODES: readonly (keyof typeof ERRORS)[] = ["EXPRESSION_INVALID", "TASK_FAILED"];
