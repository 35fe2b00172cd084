import { fail } from "../../../base/errors.ts";
import type { Plan, TaskSpec } from "../../../flows/plan.ts";

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
  const awaits = specsOf(plan).some(isAwaiting);
  known.set(plan, awaits);
  return awaits;
}

function specsOf(plan: Plan): readonly TaskSpec[] {
  switch (plan.kind) {
    case "dag":
      return plan.nodes.map(({ task }) => task);
    case "fsm":
      return [...plan.states.flatMap(({ task }) => task ?? []), ...plan.compensations];
    case "graph":
      return [plan.task];
  }
}

function isAwaiting({ awaitsCallback, children, map }: TaskSpec): boolean {
  return awaitsCallback === true || children?.some(isAwaiting) === true || (map !== null && isAwaiting(map.child));
}
