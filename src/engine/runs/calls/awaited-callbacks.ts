import { fail } from "../../../base/errors.ts";
import type { Plan } from "../../../flows/plan.ts";
import { listTasks } from "../../../flows/planning/list-tasks.ts";

const known = new WeakMap<Plan, boolean>();

/**
 * Rejects the start of a flow that awaits callbacks when no URL is known at which they can arrive. Error:
 * CALLBACK_URL_MISSING.
 */
export function checkCallbackUrl(plan: Plan, publicUrl: string | null): void {
  if (publicUrl === null && awaitsCallbacks(plan)) fail("CALLBACK_URL_MISSING", { flowId: plan.flowId });
}

function awaitsCallbacks(plan: Plan): boolean {
  const found = known.get(plan);
  if (found !== undefined) return found;
  const awaits = listTasks(plan).some(({ awaitsCallback }) => awaitsCallback === true);
  known.set(plan, awaits);
  return awaits;
}
