/** What tasks of type `step` do: parts of the flows that the service itself brings. */
import type { JsonObject } from "../../../base/json/json.ts";

/** One attempt of a step. */
export interface StepCall {
  readonly tenantId: string;
  readonly runId: string;
  readonly input: JsonObject;
  readonly signal: AbortSignal;
}

/**
 * Does a step. It may be done again with the same input, also after it has ended. Errors: those of the catalogue; one
 * that may pass is tried again and uses up no attempt.
 */
export type Step = (call: StepCall) => Promise<JsonObject>;

/** Steps by name. */
export type Steps = ReadonlyMap<string, Step>;
