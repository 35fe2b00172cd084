/** The document of a gate policy, and what it says of whom. */
import { z } from "zod";
import { CALLS, type CallPlace, type CallRules, findReflexFlow, toCallRules } from "./calls.ts";
import { GOALS, type GoalRules, toGoalRules } from "./goals.ts";
import { described, keyedBy } from "./words.ts";

const tenant = keyedBy({ goals: GOALS.optional(), calls: CALLS.optional() });

/** Schema of the document. Further subjects are further keys. */
export const GATE_POLICY = keyedBy({
  version: described(z.literal(1), "of this form of document"),
  goals: described(GOALS, "what holds for goals").optional(),
  calls: described(CALLS, "what holds for calls to tools").optional(),
  tenants: described(z.record(z.string().min(1), tenant), "the same for single tenants, by id").optional(),
});

/** A document that keeps the schema. */
export type GatePolicy = z.output<typeof GATE_POLICY>;

/** Reads the rules for a tenant. Its own word goes before that for all, and a rule goes before its family. */
export function goalRulesOf(policy: GatePolicy, tenantId: string): GoalRules {
  return toGoalRules([tenantOf(policy, tenantId)?.goals, policy.goals]);
}

/** Reads the rules for calls of a flow and task type; null: none is judged. What is not named is ignored. */
export function callRulesOf(policy: GatePolicy, tenantId: string, place: CallPlace): CallRules | null {
  return toCallRules([tenantOf(policy, tenantId)?.calls, policy.calls], place);
}

/** The first flow whose calls Reflex is asked about; null: there is none. */
export function reflexFlowOf({ calls, tenants = {} }: GatePolicy): string | null {
  return findReflexFlow([calls, ...Object.values(tenants).map((one) => one.calls)]);
}

function tenantOf({ tenants = {} }: GatePolicy, tenantId: string): z.output<typeof tenant> | undefined {
  return Object.hasOwn(tenants, tenantId) ? tenants[tenantId] : undefined;
}
