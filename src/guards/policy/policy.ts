/** The document of a gate policy, and what it says of whom. */
import { z } from "zod";
import { CALLS, type CallLevel, type CallPlace, type CallRules, findReflexFlow, MODE, toCallRules } from "./calls.ts";
import { GOALS, type GoalRules, toGoalRules } from "./goals.ts";
import { described, keyedBy } from "./words.ts";

const mode = described(MODE, "shadow: verdicts are logged and counted, and change nothing").optional();

const tenant = keyedBy({ mode, goals: GOALS.optional(), calls: CALLS.optional() });

/** Schema of the document. Further subjects are further keys. */
export const GATE_POLICY = keyedBy({
  version: described(z.literal(1), "of this form of document"),
  mode,
  goals: described(GOALS, "what holds for goals").optional(),
  calls: described(CALLS, "what holds for calls to tools").optional(),
  tenants: described(z.record(z.string().min(1), tenant), "the same for single tenants, by id").optional(),
});

/** A document that keeps the schema. */
export type GatePolicy = z.output<typeof GATE_POLICY>;

/** Reads the rules for a tenant. Its own word goes before that for all, and a rule goes before its family. */
export function goalRulesOf(policy: GatePolicy, tenantId: string): GoalRules {
  const own = tenantOf(policy, tenantId);
  return toGoalRules([own?.goals, policy.goals], (own?.mode ?? policy.mode) === "shadow");
}

/** Reads the rules for a call; null: nothing is said of it. */
export function callRulesOf(policy: GatePolicy, tenantId: string, place: CallPlace): CallRules | null {
  const own = tenantOf(policy, tenantId);
  const all: CallLevel = { key: "calls", mode: policy.mode, said: policy.calls };
  const levels =
    own === undefined ? [all] : [{ key: `tenants.${tenantId}.calls`, mode: own.mode, said: own.calls }, all];
  return toCallRules(levels, place);
}

/** Whether the policy says anything of calls. */
export function speaksOfCalls({ calls, tenants = {} }: GatePolicy): boolean {
  return [calls, ...Object.values(tenants).map((one) => one.calls)].some(
    (said) => said?.allow !== undefined || Object.keys(said?.flows ?? {}).length > 0,
  );
}

/** The first flow whose calls Reflex is asked about; null: there is none. */
export function reflexFlowOf({ calls, tenants = {} }: GatePolicy): string | null {
  return findReflexFlow([calls, ...Object.values(tenants).map((one) => one.calls)]);
}

function tenantOf({ tenants = {} }: GatePolicy, tenantId: string): z.output<typeof tenant> | undefined {
  return Object.hasOwn(tenants, tenantId) ? tenants[tenantId] : undefined;
}
