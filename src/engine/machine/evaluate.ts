/**
 * Answers needs: evaluates the templates that a run needs. Pure; the runtime calls it between `nextStep` and `decide`.
 */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import { evaluateLimitKey } from "../../flows/limit-key.ts";
import type { Inspect, TaskLimits } from "../../flows/plan.ts";
import { evaluateDurationMs, evaluateTimeoutMs } from "../../flows/planning/evaluated-duration.ts";
import type { TaskTypeName } from "../../tasks/define.ts";
import { CALLED_TYPES, checkParameters } from "../../tasks/index.ts";
import type { EvaluationResult, Need } from "./events.ts";
import type { GuardError } from "./records.ts";
import { fsmStateOf, type Run, specOf } from "./run.ts";
import { scopeOf } from "./scope.ts";
import { type GateAnswer, GateDenied, type TaskGate } from "./tasks/task-gate.ts";

/**
 * Evaluates `need`. Errors of expressions, and what `gate` denies of the results that they read, become results with an
 * error; they are final.
 */
export function evaluateNeed(run: Run, need: Need, gate?: TaskGate): EvaluationResult {
  try {
    const value = evaluate(run, need, gate);
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
    : error instanceof GateDenied
      ? "GATE_DENIED"
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

function evaluate(run: Run, need: Need, gate: TaskGate | undefined): Json {
  switch (need.kind) {
    case "task":
      return evaluateTask(run, need.path, need.first, gate);
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
  const scope = scopeOf(run, null, null, { signalId: need.signal });
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

function evaluateTask(run: Run, path: string, first: string | null, gate: TaskGate | undefined): Json {
  const spec = specOf(run, path);
  const scope = scopeOf(run, path, first, { inspect: gate === undefined ? null : inspectorOf(run, path, gate) });
  if (spec.type === "condition") return toBoolean(spec.condition?.evaluate(scope) ?? null);
  if (spec.type === "map") return spec.map?.items.evaluate(scope) ?? null;
  const value = spec.parameters.evaluate(scope);
  if (spec.parameters.constant) return value;
  checkEvaluated(spec.type, value);
  return value;
}

/** Roots of what other tasks, and those who signal, have said. */
const RESULTS: ReadonlySet<string> = new Set(["tasks", "item", "deps", "signal", "compensates"]);

/** Of a child run: what its parent gave it. */
const GIVEN: ReadonlySet<string> = new Set(["vars", "run"]);

/** Shows the gate what results give to the parameters of a task. */
function inspectorOf(run: Run, path: string, gate: TaskGate): Inspect | null {
  const { id: taskId, externalId, type } = specOf(run, path);
  const { runId, tenantId, flowId, facts } = run.state;
  const judge = gate.resultJudge({ runId, tenantId, flowId, path, taskId, externalId, type });
  if (judge === null) return null;
  const isResult = (root: string): boolean => RESULTS.has(root) || (facts.parent !== null && GIVEN.has(root));
  return (value, slots) => (slots.some(({ root }) => isResult(root)) ? judgedValue(value, judge(value)) : value);
}

/** A value as the gate lets it through. Throws {@link GateDenied}. */
function judgedValue(value: Json, answer: GateAnswer): Json {
  if (answer === null) return value;
  if ("denied" in answer) throw new GateDenied(answer.denied);
  return answer.value;
}

/**
 * What the gate makes of the parameters of a task. Those of calls of this service are redacted here, and judged when
 * the call is made.
 */
export function judgeSent(run: Run, need: Need, result: EvaluationResult, gate: TaskGate): EvaluationResult {
  if (need.kind !== "task" || !result.ok) return result;
  const { path } = need;
  const { id: taskId, externalId, type, carrier } = specOf(run, path);
  const isCalled = carrier === undefined && CALLED_TYPES.includes(type);
  if (carrier === undefined && !isCalled && type !== "graph" && type !== "subflow") return result;
  const { runId, tenantId, flowId } = run.state;
  const { value: input } = result;
  try {
    const task = { runId, tenantId, flowId, path, taskId, externalId, type, input };
    const value = judgedValue(input, isCalled ? gate.redact(task) : gate.judge(task));
    if (value !== input) checkEvaluated(type, value);
    return value === input ? result : { ...result, value };
  } catch (error) {
    return { ok: false, error: { ...describeFailure(error), retryable: false } };
  }
}

/** Throws if parameters do not fit the schema of their type. */
function checkEvaluated(type: TaskTypeName, value: Json): void {
  const violation = checkParameters(type, value)[0];
  if (violation !== undefined) throw new WrongResult(`parameters.${violation.field}: ${violation.description}`);
}

function toBoolean(value: Json): boolean {
  if (typeof value !== "boolean")
    throw new WrongResult(`the expression must give true or false, it gave ${JSON.stringify(value)?.slice(0, 80)}`);
  return value;
}
