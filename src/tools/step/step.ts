/** `step`: something inside the service, for the flows that the service itself brings. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import type { Steps } from "../../engine/ports/generation/steps.ts";
import type { Outcome } from "../../engine/ports/tools.ts";
import type { LocalAdapter } from "../adapter.ts";
import { abortedOutcome, deferredOutcome, failedOutcome } from "../outcome.ts";

/** How long a step waits that failed for a reason which may pass, milliseconds. */
const DEFER_MS = 2_000;

/** Creates the adapter. */
export function createStepAdapter(steps: Steps): LocalAdapter {
  return {
    type: "step",
    local: true,
    async run({ tenantId, runId, input: parameters }, { signal }): Promise<Outcome> {
      const { step: name, input } = parameters as { readonly step: string; readonly input: JsonObject };
      const step = steps.get(name);
      if (step === undefined)
        return failedOutcome("TOOL_MISSING", `this version of the service has no step ${name}`, { retryable: false });
      try {
        return { ok: true, output: await step({ tenantId, runId, input, signal }) };
      } catch (error) {
        if (signal.aborted) return abortedOutcome(signal, false);
        if (!isOrchestratorError(error)) throw error;
        if (error.retry === "no") return failedOutcome(error.code, error.message, { retryable: false });
        return deferredOutcome(error.code, error.message, DEFER_MS, false);
      }
    },
  };
}
