import { isOrchestratorError } from "../../../base/errors.ts";
import type { Runs } from "../runs.ts";

/**
 * Holds a run of this instance for want of a budget. Resolves when the hold is durable. A run that has ended, or has
 * left this instance, stays as it is: its calls do not begin here any more.
 */
export async function holdForBudget({ residence, submission, clock }: Runs, runId: string, why: string): Promise<void> {
  const resident = residence.get(runId);
  if (resident === undefined) return;
  try {
    await submission.submit(resident, { type: "hold", at: clock.now(), hold: "budget", by: "orchestrator", why });
  } catch (error) {
    if (!isOrchestratorError(error) || (error.code !== "RUN_FINISHED" && error.code !== "RUN_MOVED")) throw error;
  }
}
