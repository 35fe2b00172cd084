/** What a gate policy says: which rules deny, which only report, and which are ignored, for goals and by tenant. */
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

const tenant = z.strictObject(
  { goals: goals.optional() },
  { error: (issue) => (issue.code === "unrecognized_keys" ? "known: goals" : undefined) },
);

/** Schema of the document. Other subjects than goals, such as calls of tools, are further keys beside them. */
export const GATE_POLICY = z.strictObject(
  {
    version: described(z.literal(1), "of this form of document"),
    goals: described(goals, "what holds for goals").optional(),
    tenants: described(z.record(z.string().min(1), tenant), "the same for single tenants, by id").optional(),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? "known: version, goals, tenants" : undefined) },
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

function findAction(
  rule: RuleId,
  levels: readonly (Readonly<Record<string, GoalAction | undefined>> | undefined)[],
): GoalAction {
  const declared: { readonly family: RuleFamily; readonly onRequest?: true } = CONTENT_RULES[rule];
  if (declared.family === "size") return "deny";
  for (const level of levels) {
    const said = level?.[rule] ?? (declared.onRequest === true ? undefined : level?.[declared.family]);
    if (said !== undefined) return said;
  }
  return declared.onRequest === true ? "ignore" : USUAL[declared.family];
}
