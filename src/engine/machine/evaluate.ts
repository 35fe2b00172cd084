/**
 * Answers needs: evaluates the templates that a run needs. Pure; the runtime calls it between `nextStep` and `decide`.
 */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { evaluateLimitKey } from "../../flows/limit-key.ts";
import type { TaskLimits } from "../../flows/plan.ts";
import { evaluateDurationMs, evaluateTimeoutMs } from "../../flows/planning/evaluated-duration.ts";
import { checkParameters } from "../../tasks/index.ts";
import type { EvaluationResult, Need } from "./events.ts";
import type { GuardError } from "./records.ts";
import { fsmStateOf, type Run, specOf } from "./run.ts";
import { scopeOf } from "./scope.ts";

/** Evaluates `need`. Errors of expressions become results with an error; they are final. */
export function evaluateNeed(run: Run, need: Need): EvaluationResult {
  try {
    const value = evaluate(run, need);
    if (need.kind !== "task") return { ok: true, value };
    return { ok: true, value, limits: evaluateLimits(run, need), limitKey: evaluateKey(run, need) };
  } catch (error) {
    return { ok: false, error: { ...describeFailure(error), retryable: false } };
  }
}

/** Returns the type and message of an evaluation error, with its place if known. */
function describeFailure(thrown: unknown): GuardError {
  const [place, error] = thrown instanceof Misplaced ? [`${thrown.place}: `, thrown.cause] : ["", thrown];
  const type = isOrchestratorError(error)
    ? error.code === "INVALID_REQUEST"
      ? "PARAMETERS_INVALID"
      : error.code
    : "EXPRESSION_FAILED";
  return { type, message: `${place}${error instanceof Error ? error.message : String(error)}` };
}

class WrongResult extends Error {}

/** An error of the expression at a place in a state or task, such as `transitions[0].when`. */
class Misplaced extends Error {
  readonly place: string;

  constructor(place: string, cause: unknown) {
    super(place, { cause });
    this.place = place;
  }
}

function at<Value>(place: string, evaluate: () => Value): Value {
  try {
    return evaluate();
  } catch (error) {
    throw new Misplaced(place, error);
  }
}

function evaluate(run: Run, need: Need): Json {
  switch (need.kind) {
    case "task":
      return evaluateTask(run, need.path, need.first);
    case "output":
      return run.plan.output?.evaluate(scopeOf(run, null, null)) ?? null;
    case "transitions": {
      const scope = scopeOf(run, null, null);
      return fsmStateOf(run, need.state).transitions.findIndex(({ when }, index) =>
        at(`transitions[${index}].when`, () => when === null || toBoolean(when.evaluate(scope))),
      );
    }
    case "on":
      return judgeSignal(run, need);
    case "after": {
      const scope = scopeOf(run, null, null);
      return fsmStateOf(run, need.state).after.map(({ delay }, index) =>
        at(`after[${index}].delay`, () => evaluateDurationMs(delay, scope)),
      );
    }
  }
}

/** Evaluates the limits of a task that are written as `${…}`, with its defaults; null when there are none. */
function evaluateLimits(run: Run, { path, first }: Extract<Need, { kind: "task" }>): TaskLimits | null {
  const { limits, defaults = null } = specOf(run, path);
  if (limits.length === 0) return defaults;
  const scope = scopeOf(run, path, first);
  const evaluated = Object.fromEntries(
    limits.map(({ name, place, duration }) => {
      // Delays of a retry policy may be 0.
      const evaluate = place.startsWith("retry_policy.") ? evaluateDurationMs : evaluateTimeoutMs;
      return [name, at(place, () => evaluate(duration, scope))];
    }),
  );
  return { ...defaults, ...evaluated };
}

/** Evaluates the key of a task's limit to text; null without a limit. */
function evaluateKey(run: Run, { path, first }: Extract<Need, { kind: "task" }>): string | null {
  const { limit } = specOf(run, path);
  return limit === undefined ? null : at("limit.key", () => evaluateLimitKey(limit.key, scopeOf(run, path, first)));
}

/** A guard that cannot be evaluated does not admit the signal: what a caller sends must not end the run. */
function judgeSignal(run: Run, need: Extract<Need, { kind: "on" }>): Json {
  const scope = scopeOf(run, null, null, need.signal);
  const { on } = fsmStateOf(run, need.state);
  let error: GuardError | null = null;
  for (const index of need.entries) {
    const when = on[index]?.when ?? null;
    try {
      if (at(`on[${index}].when`, () => when === null || toBoolean(when.evaluate(scope))))
        return { index, error: null };
    } catch (failure) {
      error ??= describeFailure(failure);
    }
  }
  return { index: -1, error: error as Json };
}

function evaluateTask(run: Run, path: string, first: string | null): Json {
  const spec = specOf(run, path);
  const scope = scopeOf(run, path, first);
  if (spec.type === "condition") return toBoolean(spec.condition?.evaluate(scope) ?? null);
  if (spec.type === "map") return spec.map?.items.evaluate(scope) ?? null;
  const value = spec.parameters.evaluate(scope);
  if (spec.parameters.constant) return value;
  const violation = checkParameters(spec.type, value)[0];
  if (violation !== undefined) throw new WrongResult(`parameters.${violation.field}: ${violation.description}`);
  return value;
}

function toBoolean(value: Json): boolean {
  if (typeof value !== "boolean")
    throw new WrongResult(`the expression must give true or false, it gave ${JSON.stringify(value)?.slice(0, 80)}`);
  return value;
}
