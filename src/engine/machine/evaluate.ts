/** Answers needs: evaluates the templates that a run asks for. Pure; the runtime calls it between `nextStep` and `decide`. */
import { parseDurationMs } from "../../base/duration.ts";
import { isOrchestratorError } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import { checkParameters } from "../../tasks/index.ts";
import type { EvaluationResult, Need } from "./events.ts";
import { fsmStateOf, type Run, specOf } from "./run.ts";
import { scopeOf } from "./scope.ts";

/** The answer to `need`. Errors of expressions become results with an error; they are final. */
export function evaluateNeed(run: Run, need: Need): EvaluationResult {
  try {
    return { ok: true, value: evaluate(run, need) };
  } catch (error) {
    const type = isOrchestratorError(error)
      ? error.code === "INVALID_REQUEST"
        ? "PARAMETERS_INVALID"
        : error.code
      : "EXPRESSION_FAILED";
    return {
      ok: false,
      error: { type, message: error instanceof Error ? error.message : String(error), retryable: false },
    };
  }
}

class WrongResult extends Error {}

function evaluate(run: Run, need: Need): Json {
  switch (need.kind) {
    case "task":
      return evaluateTask(run, need.path, need.first);
    case "output":
      return run.plan.output?.evaluate(scopeOf(run, null, null)) ?? null;
    case "transitions": {
      const scope = scopeOf(run, null, null);
      return fsmStateOf(run, need.state).transitions.findIndex(
        ({ when }) => when === null || toBoolean(when.evaluate(scope)),
      );
    }
    case "on": {
      const scope = scopeOf(run, null, null, need.signal);
      const { on } = fsmStateOf(run, need.state);
      const matches = (index: number): boolean => {
        const when = on[index]?.when ?? null;
        return when === null || toBoolean(when.evaluate(scope));
      };
      return need.entries.find(matches) ?? -1;
    }
    case "after": {
      const scope = scopeOf(run, null, null);
      return fsmStateOf(run, need.state).after.map(({ delay }) =>
        parseDurationMs(delay.evaluate(scope) as number | string),
      );
    }
  }
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
