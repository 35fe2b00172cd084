/** The check of goals: size, content rules as the policy says, then Reflex. What it refuses is stored nowhere. */
import { createHmac } from "node:crypto";
import { toError } from "../base/errors.ts";
import type { Json } from "../base/json/json.ts";
import type { Log } from "../base/log.ts";
import { secondsSince } from "../base/time/elapsed.ts";
import { runInTurns, type Turns } from "../base/time/turns.ts";
import type { CheckedGoal, GoalCheck, GoalVerdict } from "../engine/ports/gate/goal-check.ts";
import { type TextAt, textsOf } from "./content/redact.ts";
import type { RuleFamily, RuleId } from "./content/rules.ts";
import { type ContentScanner, createContentScanner } from "./content/scan.ts";
import { scanField } from "./content/scan-field.ts";
import type { GoalRules } from "./policy/goals.ts";
import { type GatePolicy, goalRulesOf } from "./policy/policy.ts";
import type { ReflexVerdict } from "./reflex/answer.ts";
import type { Reflex } from "./reflex/reflex.ts";

/** How a check ended, or what a rule had to say. */
export type GoalTold = "allow" | "deny" | "report" | "unavailable" | "shadow_deny" | "shadow_unavailable";

/** What a check ends with: a verdict, or the word that there is none, because Reflex does not answer. */
export type GateResult = "verdict" | "unavailable";

/** Counts verdicts; the telemetry layer has the implementation. */
export interface GateMetrics {
  /** A check has ended; `rule` is `none` where no rule decided. */
  checked(rule: string, verdict: GoalTold): void;
  /** A goal was checked. `seconds` is how long its caller waited. */
  judged(result: GateResult, seconds: number): void;
  /** A call of Reflex has ended: its tries, and its time in line. */
  reflexCalled(result: "safe" | "blocked" | "error", seconds: number): void;
}

/** What {@link createGoalCheck} needs. */
export interface GoalCheckParts {
  readonly policy: GatePolicy;
  /** Null: Reflex is not asked. */
  readonly reflex: Reflex | null;
  /** Key of the fingerprints of texts in the log; the same for all instances on a database. */
  readonly key: Uint8Array;
  readonly metrics: GateMetrics;
  readonly log: Log;
}

/** Sentence of each family. */
const REASONS: Readonly<Record<Exclude<RuleFamily, "size">, string>> = {
  pii: "PII detected in input",
  secret: "secret detected in input",
  injection: "injection detected in input",
};

/** Tenants whose rules are kept; the others are read again. */
const MAX_TENANTS = 1_000;

/** Creates the check. */
export function createGoalCheck({ policy, reflex, key, metrics, log }: GoalCheckParts): GoalCheck {
  const scanner = createContentScanner();
  const kept = new Map<string, GoalRules>();
  const rulesOf = (tenantId: string): GoalRules => {
    const known = kept.get(tenantId) ?? goalRulesOf(policy, tenantId);
    if (kept.size >= MAX_TENANTS) kept.clear();
    kept.set(tenantId, known);
    return known;
  };
  const end = (goal: CheckedGoal, verdict: GoalTold, rule = "none"): void => {
    metrics.checked(rule, verdict);
    const fields = { tenantId: goal.tenantId, rule, verdict, textHmac: fingerprint(key, goal) };
    if (verdict === "allow") log.debug("goal checked", fields);
    else log.info("goal checked", fields);
  };
  const askReflex = async (asked: Reflex, goal: CheckedGoal, signal: AbortSignal): Promise<ReflexVerdict> => {
    const { text, conditions, userId, context } = goal;
    const from = performance.now();
    const said = await asked.process({ text: [text, ...conditions].join("\n"), userId, context }, signal);
    metrics.reflexCalled(said.is, secondsSince(from));
    return said;
  };
  const tellShadow = (goal: CheckedGoal, said: ReflexVerdict, found: Denied | null): void => {
    if (said.is === "error") end(goal, "shadow_unavailable", "reflex");
    else if (said.is === "blocked") end(goal, "shadow_deny", said.rule);
    else if (found === null) end(goal, "allow");
  };

  return {
    get reflex() {
      return reflex === null ? "disabled" : reflex.state;
    },
    async check(goal, signal) {
      const from = performance.now();
      const answer = (verdict: GoalVerdict): GoalVerdict => {
        metrics.judged("verdict", secondsSince(from));
        return verdict;
      };
      const rules = rulesOf(goal.tenantId);
      const { isShadow } = rules;
      const reading = judgeContent(goal, rules, scanner, (rule) => end(goal, "report", rule));
      const found = await runInTurns(reading, signal);
      if (found !== null) {
        end(goal, isShadow ? "shadow_deny" : "deny", found.rule);
        if (!isShadow) return answer(found);
      }
      if (reflex !== null && rules.asksReflex) {
        // In shadow, nothing waits for it.
        if (isShadow) void askReflex(reflex, goal, NEVER).then((said) => tellShadow(goal, said, found));
        else {
          const said = await askReflex(reflex, goal, signal);
          if (said.is === "error") {
            end(goal, "unavailable", "reflex");
            metrics.judged("unavailable", secondsSince(from));
            throw toError("SAFETY_CHECK_UNAVAILABLE", { problem: said.problem });
          }
          if (said.is === "blocked") {
            end(goal, "deny", said.rule);
            return answer({ verdict: "deny", rule: said.rule, reason: said.reason });
          }
          end(goal, "allow");
        }
      } else if (found === null) end(goal, "allow");
      return answer({ verdict: "allow" });
    },
  };
}

/** Reflex has its own limit of time, so nothing that waits for it does so forever. */
const NEVER = new AbortController().signal;

type Denied = Extract<GoalVerdict, { readonly verdict: "deny" }>;

/** The first finding that denies; what only reports is told. */
function* judgeContent(
  goal: CheckedGoal,
  rules: GoalRules,
  scanner: ContentScanner,
  report: (rule: RuleId) => void,
): Turns<Denied | null> {
  const said = [goal.text, ...goal.conditions].map((text) => ({ text, under: "" }));
  const texts = [...said, ...contextTexts(goal)];
  const bytes = texts.reduce((total, { text }) => total + Buffer.byteLength(text), Buffer.byteLength(goal.userId));
  if (bytes > rules.maxBytes)
    return { verdict: "deny", rule: "size.text", reason: `input is longer than ${rules.maxBytes} bytes` };
  const reported = new Set<RuleId>();
  const withIp = rules.actionOf("pii.ip") !== "ignore";
  for (const text of texts) {
    for (const { rule, kind } of yield* scanField(scanner, text, withIp)) {
      const action = rules.actionOf(rule);
      if (action === "deny") return { verdict: "deny", rule, reason: kind === "size" ? "" : REASONS[kind] };
      if (action === "report") reported.add(rule);
    }
  }
  for (const rule of reported) report(rule);
  return null;
}

/** Texts of the context. The `user_id` that names the user of the run is no content; anything else there is. */
function contextTexts({ context, userId }: CheckedGoal): readonly TextAt[] {
  const { user_id: user, ...rest } = context;
  return Array.from(textsOf((user === userId ? rest : context) as Json));
}

/** What the log has in the place of a text: the same for the same text of a tenant, and of no use without the key. */
function fingerprint(key: Uint8Array, { tenantId, text }: CheckedGoal): string {
  return createHmac("sha256", key).update(`gate\0${tenantId}\0${text}`).digest("hex").slice(0, 32);
}
