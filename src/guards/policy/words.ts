/** Words of a policy on rules and families, and which of them holds. */
import { z } from "zod";
import { CONTENT_RULES, RULE_IDS, type RuleFamily, type RuleId } from "../content/rules.ts";

const FAMILIES = [...new Set(RULE_IDS.map((rule) => CONTENT_RULES[rule].family))].filter((family) => family !== "size");

const NAMES = [...FAMILIES, ...RULE_IDS.filter((rule) => rule !== "size.text")];

/** What is said of rules and families, by name. */
export type RuleWords<Action> = Readonly<Record<string, Action | undefined>>;

/** A schema whose text editors show. */
export function described<S extends z.ZodType>(schema: S, description: string): S {
  return schema.meta({ description });
}

/** Schema of an object whose unknown keys are refused with the known ones. */
export function keyedBy<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = `known: ${Object.keys(shape).join(", ")}`;
  return z.strictObject(shape, { error: (issue) => (issue.code === "unrecognized_keys" ? known : undefined) });
}

/** Schema of what becomes of a text in which a rule finds something, by rule or family. */
export function ruleWords<Action extends string>(action: z.ZodType<Action>) {
  return keyedBy(Object.fromEntries(NAMES.map((name) => [name, described(action, describeRule(name)).optional()])));
}

function describeRule(name: string): string {
  return name in CONTENT_RULES ? CONTENT_RULES[name as RuleId].text : `what the rules of ${name} find`;
}

/** The nearest word on a rule. A family does not speak for a rule that is looked for on request. */
export function findSaid<Action>(rule: RuleId, levels: readonly (RuleWords<Action> | undefined)[]): Action | undefined {
  const { family, isOnRequest } = factsOf(rule);
  for (const level of levels) {
    const said = level?.[rule] ?? (isOnRequest ? undefined : level?.[family]);
    if (said !== undefined) return said;
  }
  return undefined;
}

/** What the table of rules says of a rule. */
export function factsOf(rule: RuleId): { readonly family: RuleFamily; readonly isOnRequest: boolean } {
  const declared: { readonly family: RuleFamily; readonly onRequest?: true } = CONTENT_RULES[rule];
  return { family: declared.family, isOnRequest: declared.onRequest === true };
}
