/**
 * Answers what a run needs to know, in a dry run: as usual where everything is known, by a choice where it decides
 * which way the run goes, and by something harmless where it does not.
 */
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { TaskSpec, Template } from "../../flows/plan.ts";
import { evaluateDurationMs } from "../../flows/planning/evaluated-duration.ts";
import { evaluateNeed } from "../machine/evaluate.ts";
import type { EvaluationResult, Need } from "../machine/events.ts";
import { fsmStateOf, type Run, specOf } from "../machine/run.ts";
import { scopeOf } from "../machine/scope.ts";
import type { Choices } from "./choices.ts";
import type { Unknowns } from "./unknown.ts";

export interface NeedParts {
  readonly unknowns: Unknowns;
  readonly choices: Choices;
  /** The parameters of a task that the document gives without an expression. */
  readonly constantsOf: (task: TaskSpec) => JsonObject;
  /** Something had to be assumed at a place. */
  readonly assumed: (place: string, what: string) => void;
}

type NeedOf<Kind extends Need["kind"]> = Extract<Need, { kind: Kind }>;

/** Answers a need. Errors are results, as in `evaluateNeed`. */
export function answerNeed(run: Run, need: Need, parts: NeedParts): EvaluationResult {
  const { unknowns } = parts;
  const known = unknowns.evaluate(() => evaluateNeed(run, need) as unknown as JsonObject);
  if (known !== undefined && !isAboutUnknown(run, need, known, parts)) return known as unknown as EvaluationResult;
  switch (need.kind) {
    case "task":
      return answerTask(run, need, parts);
    case "transitions":
      return answerTransitions(run, need, parts);
    case "on":
      return answerSignal(run, need, parts);
    case "output":
      return { ok: true, value: unknowns.create() };
    case "after":
      return answerDelays(run, need, parts);
  }
}

/** A value of the wrong type may be an unknown one that nothing looked into. */
function isAboutUnknown(run: Run, need: Need, result: JsonObject, { unknowns }: NeedParts): boolean {
  if (result["ok"] === true || need.kind !== "task") return false;
  const { parameters } = specOf(run, need.path);
  return gives(unknowns, parameters, run, need) === undefined;
}

/** What a template of a task gives; undefined: that is not known. An error of the flow is known. */
function gives(unknowns: Unknowns, template: Template, run: Run, { path, first }: NeedOf<"task">): Json | undefined {
  try {
    return unknowns.evaluate(() => template.evaluate(scopeOf(run, path, first)));
  } catch {
    // It is in the result of the need.
    return null;
  }
}

function answerTask(run: Run, need: NeedOf<"task">, parts: NeedParts): EvaluationResult {
  const { unknowns, choices, constantsOf, assumed } = parts;
  const spec = specOf(run, need.path);
  const answer = (value: Json): EvaluationResult => ({ ok: true, value, limits: spec.defaults ?? null, limitKey: "" });
  const constants = constantsOf(spec);
  switch (spec.type) {
    case "condition":
      return answer(choices.take(`condition ${need.path}`, BOTH));
    case "map":
      assumed(need.path, "one item, since its items are not known");
      return answer([unknowns.create()]);
    case "wait":
      if (spec.parameters.constant) return answer(spec.parameters.evaluate(scopeOf(run, need.path, need.first)));
      assumed(need.path, "no wait, since its length is not known");
      return answer({ duration: "0s" });
    case "transform":
      return answer({ output: unknowns.create() });
    default:
      return answer(constants);
  }
}

const BOTH = [
  ["true", true],
  ["false", false],
] as const;

/** The first entry that holds is taken. One that may hold is a choice, and so is what comes after it. */
function answerTransitions(run: Run, { state }: NeedOf<"transitions">, { unknowns, choices }: NeedParts) {
  const scope = scopeOf(run, null, null);
  const open: (readonly [string, number])[] = [];
  let isSure = false;
  for (const [index, { when, to }] of fsmStateOf(run, state).transitions.entries()) {
    const holds = when === null ? true : judged(unknowns, when, scope);
    if (typeof holds === "object") return { ok: false, error: holds } as const;
    if (holds === false) continue;
    open.push([`to ${stateAt(run, to)}`, index]);
    isSure = holds === true;
    if (isSure) break;
  }
  if (!isSure) open.push(["no transition", -1]);
  return { ok: true, value: choices.take(`state ${state}`, open) } as const;
}

function answerSignal(run: Run, need: NeedOf<"on">, { unknowns, choices }: NeedParts): EvaluationResult {
  const scope = scopeOf(run, null, null, { signalId: need.signal });
  const { on } = fsmStateOf(run, need.state);
  const open: (readonly [string, number])[] = [];
  for (const index of need.entries) {
    const entry = on[index];
    if (entry === undefined) continue;
    const holds = entry.when === null ? true : judged(unknowns, entry.when, scope);
    if (holds === false || typeof holds === "object") continue;
    open.push([`to ${stateAt(run, entry.to)}`, index]);
    if (holds === true) break;
  }
  const index = open.length === 0 ? -1 : choices.take(`signal in state ${need.state}`, open);
  return { ok: true, value: { index, error: null } };
}

/** Undefined: it is not known whether the condition holds. An error of the flow is an object. */
function judged(unknowns: Unknowns, when: Template, scope: ReturnType<typeof scopeOf>) {
  try {
    const value = unknowns.evaluate(() => when.evaluate(scope));
    if (value === undefined || typeof value === "boolean") return value;
    return { type: "EXPRESSION_FAILED", message: "a condition must give true or false", retryable: false };
  } catch (error) {
    return { type: "EXPRESSION_FAILED", message: (error as Error).message, retryable: false };
  }
}

function answerDelays(run: Run, { state }: NeedOf<"after">, { unknowns, assumed }: NeedParts): EvaluationResult {
  const scope = scopeOf(run, null, null);
  const value = fsmStateOf(run, state).after.map(({ delay }, index) => {
    const known = unknowns.evaluate(() => evaluateDurationMs(delay, scope));
    if (known === undefined) assumed(state, `no delay in after[${index}], since it is not known`);
    return known ?? 0;
  });
  return { ok: true, value };
}

function stateAt({ plan }: Run, index: number): string {
  return plan.kind === "fsm" ? (plan.states[index]?.id ?? "") : "";
}
