/** What a gate policy says: what becomes of goals and of calls in which a rule finds something. */
import { z } from "zod";
import { CONTENT_RULES, RULE_IDS, type RuleFamily, type RuleId } from "../content/rules.ts";

/** What becomes of a goal in which a rule finds something. */
export type GoalAction = "deny" | "report" | "ignore";

const FAMILIES = [...new Set(RULE_IDS.map((rule) => CONTENT_RULES[rule].family))].filter((family) => family !== "size");

const action = z.enum(["deny", "report", "ignore"]);

const ruleNames = [...FAMILIES, ...RULE_IDS.filter((rule) => rule !== "size.text")];

/** What a family or rule finds, for editors. */
function describeRule(name: string): string {
  return name in CONTENT_RULES ? CONTENT_RULES[name as RuleId].text : `what the rules of ${name} find`;
}

/** A schema whose text editors show. */
function described<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ description });
}

const rules = z.strictObject(
  Object.fromEntries(ruleNames.map((name) => [name, described(action, describeRule(name)).optional()])),
  {
    error: (issue) => (issue.code === "unrecognized_keys" ? `known: ${ruleNames.join(", ")}` : undefined),
  },
);

const goals = z.strictObject(
  {
    max_bytes: described(
      z.int().min(1).max(16_777_216),
      "longest text of a goal together with its context, bytes (65536)",
    ).optional(),
    reflex: described(z.enum(["ask", "skip"]), "whether Reflex is asked, if there is one (ask)").optional(),
    rules: described(rules, "what becomes of a goal in which a rule finds something, by rule or family").optional(),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? "known: max_bytes, reflex, rules" : undefined) },
);

const callAction = z.enum(["deny", "redact", "ignore"]);

const callRules = z.strictObject(
  Object.fromEntries(ruleNames.map((name) => [name, described(callAction, describeRule(name)).optional()])),
  { error: (issue) => (issue.code === "unrecognized_keys" ? `known: ${ruleNames.join(", ")}` : undefined) },
);

const flow = z.strictObject(
  {
    types: described(z.array(z.string().min(1)).min(1), "task types whose calls are judged; all without it").optional(),
    rules: described(callRules, "what becomes of a call in which a rule finds something, by rule or family"),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? "known: types, rules" : undefined) },
);

const calls = z.strictObject(
  { flows: described(z.record(z.string().min(1), flow), "by id of the flow; others are not judged").optional() },
  { error: (issue) => (issue.code === "unrecognized_keys" ? "known: flows" : undefined) },
);

const tenant = z.strictObject(
  { goals: goals.optional(), calls: calls.optional() },
  { error: (issue) => (issue.code === "unrecognized_keys" ? "known: goals, calls" : undefined) },
);

/** Schema of the document. Further subjects are further keys. */
export const GATE_POLICY = z.strictObject(
  {
    version: described(z.literal(1), "of this form of document"),
    goals: described(goals, "what holds for goals").optional(),
    calls: described(calls, "what holds for calls to tools").optional(),
    tenants: described(z.record(z.string().min(1), tenant), "the same for single tenants, by id").optional(),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? "known: version, goals, calls, tenants" : undefined) },
);

/** A document that keeps the schema. */
export type GatePolicy = z.output<typeof GATE_POLICY>;

/** What holds for the goals of a tenant. */
export interface GoalRules {
  /** Longest text of a goal with its context, bytes. */
  readonly maxBytes: number;
  /** Whether Reflex is asked, if there is one. */
  readonly asksReflex: boolean;
  actionOf(rule: RuleId): GoalAction;
}

/** Usual length of a goal with its context, bytes. */
const MAX_BYTES = 65_536;

/** The usual actions: whatever is found refuses a goal. */
const USUAL: Readonly<Record<Exclude<RuleFamily, "size">, GoalAction>> = {
  secret: "deny",
  pii: "deny",
  injection: "deny",
};

/** Reads the rules for a tenant. Its own word goes before that for all, and a rule goes before its family. */
export function goalRulesOf(policy: GatePolicy, tenantId: string): GoalRules {
  const own = Object.hasOwn(policy.tenants ?? {}, tenantId) ? policy.tenants?.[tenantId]?.goals : undefined;
  const levels = [own, policy.goals];
  const actions = new Map(
    RULE_IDS.map((rule) => [
      rule,
      findAction(
        rule,
        levels.map((level) => level?.rules),
      ),
    ]),
  );
  return {
    maxBytes: own?.max_bytes ?? policy.goals?.max_bytes ?? MAX_BYTES,
    asksReflex: (own?.reflex ?? policy.goals?.reflex ?? "ask") === "ask",
    actionOf: (rule) => actions.get(rule) ?? "deny",
  };
}

/** What holds for the calls of a flow. */
export interface CallRules {
  /** Whether addresses are looked for. */
  readonly withIp: boolean;
  actionOf(rule: RuleId): CallAction;
}

/** What becomes of a call in which a rule finds something. */
export type CallAction = z.output<typeof callAction>;

/** Reads the rules for calls of a flow and task type; null: none is judged. What is not named is ignored. */
export function callRulesOf(policy: GatePolicy, tenantId: string, flowId: string, type: string): CallRules | null {
  const tenants = policy.tenants ?? {};
  const own = Object.hasOwn(tenants, tenantId) ? tenants[tenantId]?.calls?.flows : undefined;
  const levels = [own, policy.calls?.flows].flatMap((flows) => {
    const said = flows !== undefined && Object.hasOwn(flows, flowId) ? flows[flowId] : undefined;
    return said === undefined || said.types?.includes(type) === false ? [] : [said.rules];
  });
  if (levels.length === 0) return null;
  const actionOf = (rule: RuleId): CallAction => findSaid(rule, levels) ?? "ignore";
  return { withIp: actionOf("pii.ip") !== "ignore", actionOf };
}

function findAction(
  rule: RuleId,
  levels: readonly (Readonly<Record<string, GoalAction | undefined>> | undefined)[],
): GoalAction {
  const { family, isOnRequest } = factsOf(rule);
  if (family === "size") return "deny";
  return findSaid(rule, levels) ?? (isOnRequest ? "ignore" : USUAL[family]);
}

/** The nearest word on a rule. A family does not speak for a rule that is looked for on request. */
function findSaid<Action>(
  rule: RuleId,
  levels: readonly (Readonly<Record<string, Action | undefined>> | undefined)[],
): Action | undefined {
  const { family, isOnRequest } = factsOf(rule);
  for (const level of levels) {
    const said = level?.[rule] ?? (isOnRequest ? undefined : level?.[family]);
    if (said !== undefined) return said;
  }
  return undefined;
}

function factsOf(rule: RuleId): { readonly family: RuleFamily; readonly isOnRequest: boolean } {
  const declared: { readonly family: RuleFamily; readonly onRequest?: true } = CONTENT_RULES[rule];
  return { family: declared.family, isOnRequest: declared.onRequest === true };
}
