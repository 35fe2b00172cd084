/** What budgets have to say to runs of this instance. */
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
    if (!isOver(error)) throw error;
  }
}

/** Tells a run that a budget is nearly used up; resolves when that is durable, or the run has ended or left. */
export async function warnOfBudget(
  { residence, submission, clock }: Runs,
  runId: string,
  budget: string,
  why: string,
): Promise<void> {
  try {
    const resident = await residence.open(runId);
    await submission.submit(resident, { type: "budget_warned", at: clock.now(), budget, why });
  } catch (error) {
    if (!isOver(error)) throw error;
  }
}

function isOver(error: unknown): boolean {
  return isOrchestratorError(error) && (error.code === "RUN_FINISHED" || error.code === "RUN_MOVED");
}
