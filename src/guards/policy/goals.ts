/** What a policy says of goals. */
import { z } from "zod";
import { RULE_IDS, type RuleFamily, type RuleId } from "../content/rules.ts";
import { described, factsOf, findSaid, keyedBy, type RuleWords, ruleWords } from "./words.ts";

const action = z.enum(["deny", "report", "ignore"]);

/** What becomes of a goal in which a rule finds something. */
export type GoalAction = z.output<typeof action>;

/** Schema of the part of a policy on goals. */
export const GOALS = keyedBy({
  max_bytes: described(
    z.int().min(1).max(16_777_216),
    "longest text of a goal together with its context, bytes (65536)",
  ).optional(),
  reflex: described(z.enum(["ask", "skip"]), "whether Reflex is asked, if there is one (ask)").optional(),
  rules: described(
    ruleWords(action),
    "what becomes of a goal in which a rule finds something, by rule or family",
  ).optional(),
});

/** What holds for the goals of a tenant. */
export interface GoalRules {
  /** Verdicts are told, and change nothing. */
  readonly isShadow: boolean;
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

/** The rules that follow from what is said, the nearest first. */
export function toGoalRules(levels: readonly (z.output<typeof GOALS> | undefined)[], isShadow: boolean): GoalRules {
  const words = levels.map((level) => level?.rules);
  const actions = new Map(RULE_IDS.map((rule) => [rule, findAction(rule, words)]));
  return {
    isShadow,
    maxBytes: levels.find((level) => level?.max_bytes !== undefined)?.max_bytes ?? MAX_BYTES,
    asksReflex: levels.find((level) => level?.reflex !== undefined)?.reflex !== "skip",
    actionOf: (rule) => actions.get(rule) ?? "deny",
  };
}

function findAction(rule: RuleId, levels: readonly (RuleWords<GoalAction> | undefined)[]): GoalAction {
  const { family, isOnRequest } = factsOf(rule);
  if (family === "size") return "deny";
  return findSaid(rule, levels) ?? (isOnRequest ? "ignore" : USUAL[family]);
}
