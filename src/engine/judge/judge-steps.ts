/**
 * The steps of the judge, in the flow of a goal:
 *
 *   result → criteria: expressions are evaluated, and the question about the others is made
 *          → (a model answers) → verdict: the confidence of the result, or why the goal has failed
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { fail } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { JUDGE_STEPS } from "../../flows/builtin/goal.ts";
import type { Step, Steps } from "../ports/generation/steps.ts";
import { evaluateCriterion, isExpression, type Verdict } from "./criteria.ts";
import { type AskedCriterion, questionOf, readVerdicts } from "./question.ts";

/** What the first step hands to the second one. */
interface Decided {
  /** Criteria that are decided. */
  readonly verdicts: readonly Verdict[];
  /** What the sender of the result is sure of; null: the sender does not say. */
  readonly confidence: number | null;
  /** Criteria for a model. */
  readonly asked: readonly AskedCriterion[];
  /** All criteria are decided, or are asked for. */
  readonly isWhole: boolean;
}

/** Creates them. */
export function createJudgeSteps(): Steps {
  return new Map([
    [JUDGE_STEPS.criteria, decideCriteria],
    [JUDGE_STEPS.verdict, giveVerdict],
  ]);
}

/** Decides what needs no model. A criterion that is not met ends it: nothing more is asked. */
const decideCriteria: Step = async ({ input, signal }) => {
  const { goal, result: signaled, has_model: hasModel } = input;
  const { output = null, confidence: given } = objectOf(signaled);
  const confidence = typeof given === "number" ? given : null;
  const judged = { goal: objectOf(goal), result: output };
  // The same text twice is one criterion.
  const criteria = [...new Set(textsOf(judged.goal["acceptance_criteria"]))];
  const verdicts: Verdict[] = [];
  for (const criterion of criteria.filter(isExpression)) {
    const verdict = evaluateCriterion(criterion, judged);
    refuseUnmet(verdict);
    verdicts.push(verdict);
    await nextTurn();
    signal.throwIfAborted();
  }
  const texts = criteria.filter((criterion) => !isExpression(criterion));
  const asked = texts.map((text, index): AskedCriterion => ({ number: index + 1, text }));
  const isAsked = hasModel === true && confidence === null && asked.length > 0;
  const question = isAsked ? questionOf(asked, judged) : null;
  if (isAsked && question === null) fail("JUDGE_FAILED", { problem: "the result is too long to be judged by a model" });
  const decided: Decided = {
    verdicts,
    confidence,
    asked: isAsked ? asked : [],
    isWhole: isAsked || asked.length === 0,
  };
  const { system = "", prompt = "", schema = {}, maxTokens = 1 } = question ?? {};
  const ask = { system, prompt, response_format: { type: "json", schema }, max_tokens: maxTokens };
  return { decided: plain(decided), is_asked: isAsked, ...ask };
};

/** The verdicts of a goal and its confidence, which is the lowest of them; null: nobody has one. */
const giveVerdict: Step = async ({ input }) => {
  const { decided, answer = null, error = null } = input;
  const { verdicts, confidence, asked, isWhole } = objectOf(decided) as unknown as Decided;
  if (error !== null && isJsonObject(error)) refuseFailure(error);
  // An `ai` task gives its answer with what it has cost.
  const answered = asked.length === 0 ? [] : readVerdicts(objectOf(answer)["content"] ?? null, asked);
  if (answered === null) return fail("JUDGE_UNREADABLE", { problem: "it does not judge each criterion once" });
  for (const verdict of answered) refuseUnmet(verdict);
  const all = [...verdicts, ...answered];
  // Text that nobody judges has no confidence, whatever expressions give.
  const known = [...(confidence === null ? [] : [confidence]), ...(isWhole ? all.map((one) => one.confidence) : [])];
  return { verdicts: all.map(plain), confidence: known.length === 0 ? null : Math.min(...known) };
};

/** Why a model gave no answer. Error: JUDGE_UNREADABLE, or JUDGE_FAILED. */
function refuseFailure({ type, message }: JsonObject): never {
  const problem = `${String(type)}: ${String(message)}`;
  return fail(type === "RESPONSE_FORMAT_INVALID" ? "JUDGE_UNREADABLE" : "JUDGE_FAILED", { problem });
}

/** Error: CRITERIA_NOT_MET. */
function refuseUnmet({ criterion, met, reason }: Verdict): void {
  if (!met) fail("CRITERIA_NOT_MET", { criterion: shorten(criterion), reason: shorten(reason) });
}

function shorten(text: string): string {
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

function objectOf(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}

function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

function plain(value: Decided | Verdict): JsonObject {
  return { ...value } as unknown as JsonObject;
}
