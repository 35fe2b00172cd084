import { type FieldViolation, fail } from "../base/errors.ts";
import { refuseField } from "../base/field-error.ts";
import type { Json, JsonObject } from "../base/json/json.ts";
import { describeValue } from "../tasks/schema/describe-issue.ts";
import { checkData } from "../tasks/schema/json-schema.ts";
import { suggest } from "../tasks/schema/suggest.ts";
import { isWrittenByService } from "./builtin/ids.ts";
import { limitNameProblem } from "./builtin/limit-names.ts";
import { hasType } from "./check/check-variables.ts";
import { evaluateLimitKey } from "./limit-key.ts";
import type { Plan, RunLimit, Variable } from "./plan.ts";
import { evaluateTimeoutMs } from "./planning/evaluated-duration.ts";

/**
 * Maximum number of unknown names that are reported individually: each costs a search for a similar name and space in
 * the response.
 */
const MAX_UNKNOWN_NAMES = 50;

/**
 * Returns the variables of a run: the input with defaults filled in, then the computed variables. Unknown names are
 * rejected, so that a misspelled name does not silently run with the default. `now` is the start time, milliseconds.
 * Throws FLOW_INPUT_INVALID with every violation, or the error of a computed variable.
 */
export function checkInput(plan: Plan, input: JsonObject, now: number): JsonObject {
  const { variables, computed } = plan;
  let violations: FieldViolation[] | undefined;
  const report = (field: string, description: string): void => {
    violations ??= [];
    violations.push({ field, description });
  };
  const vars: Record<string, Json> = {};
  let taken = 0;
  for (const variable of variables) {
    const { name } = variable;
    if (Object.hasOwn(input, name)) {
      taken++;
      const value = input[name] as Json;
      const problem = checkValue(variable, value);
      if (problem === undefined) setOwn(vars, name, value);
      else report(name, problem);
    } else if (variable.default !== undefined) setOwn(vars, name, variable.default);
    else if (variable.required)
      report(
        name,
        `is required: ${typeText(variable)}${variable.description === "" ? "" : ` (${variable.description})`}`,
      );
    else setOwn(vars, name, null);
  }
  if (taken < Object.keys(input).length) {
    const names = variables.map(({ name }) => name);
    const known = new Set(names);
    const unknown = Object.keys(input).filter((name) => !known.has(name));
    for (const name of unknown.slice(0, MAX_UNKNOWN_NAMES))
      report(
        name,
        `the flow has no variable "${name}"${suggest(name, names) || (names.length > 0 ? `; it has ${names.join(", ")}` : "; it has none")}`,
      );
    const next = unknown[MAX_UNKNOWN_NAMES];
    if (next !== undefined)
      report(next, `and ${unknown.length - MAX_UNKNOWN_NAMES} more names that are not variables of the flow`);
  }
  if (violations !== undefined) {
    const [first] = violations;
    fail(
      "FLOW_INPUT_INVALID",
      { flowId: plan.flowId, problem: `${first?.field}: ${first?.description}` },
      { violations },
    );
  }
  if (computed.length === 0) return vars;
  const scope = { vars, run: {}, task: () => undefined, now };
  const values = computed.map(({ name, value }) => [name, value.evaluate(scope)] as const);
  const all = { ...vars };
  for (const [name, value] of values) setOwn(all, name, value);
  return all;
}

/**
 * Returns the timeout of a run that starts `now` with these variables, milliseconds; null means the service's default.
 * Throws FLOW_INPUT_INVALID if the variables yield no valid one.
 */
export function runTimeoutMs({ flowId, timeout, timeoutMs }: Plan, vars: JsonObject, now: number): number | null {
  if (timeout === null) return timeoutMs;
  try {
    return evaluateTimeoutMs(timeout, { vars, run: {}, task: () => undefined, now });
  } catch (error) {
    const problem = `workflow.timeout: ${(error as Error).message}`;
    return fail("FLOW_INPUT_INVALID", { flowId, problem }, { cause: error });
  }
}

/**
 * Returns the limit of a run that starts `now` with these variables; null if it has none. Throws FLOW_INPUT_INVALID if
 * the variables yield no valid key.
 */
export function runLimit({ flowId, limit }: Plan, vars: JsonObject, now: number): RunLimit | null {
  if (limit === undefined) return null;
  const { name, maxConcurrent, rate } = limit;
  const problem = limitNameProblem(name);
  // Registration refuses it, too; the version may be older than that.
  if (problem !== null) return fail("FLOW_INPUT_INVALID", { flowId, problem: `workflow.limit.name: ${problem}` });
  try {
    return {
      name,
      key: evaluateLimitKey(limit.key, { vars, run: {}, task: () => undefined, now }),
      maxConcurrent,
      rate,
    };
  } catch (error) {
    const problem = `workflow.limit.key: ${(error as Error).message}`;
    return fail("FLOW_INPUT_INVALID", { flowId, problem }, { cause: error });
  }
}

/**
 * Throws INVALID_REQUEST if the flow declares a schema for this signal and `payload` violates it; paths begin with
 * `root`. Flows of the service declare all that they wait for: who sends another one believes to have done something.
 */
export function checkSignal({ flowId, signals }: Plan, name: string, payload: Json, root: string): void {
  const schema = signals.get(name);
  if (schema !== undefined) checkData(schema, payload, root);
  else if (isWrittenByService(flowId) && !signals.has(name))
    refuseField("signal_name", `this run of the flow ${flowId} waits for no signal ${name}`);
}

function checkValue(variable: Variable, value: Json): string | undefined {
  const isNullOfOptional = value === null && !variable.required;
  if (!isNullOfOptional && !hasType(value, variable.type))
    return `expected ${typeText(variable)}, got ${describeValue(value)}`;
  if (isNullOfOptional || variable.enum === undefined) return undefined;
  const text = JSON.stringify(value);
  if (variable.enum.some((choice) => JSON.stringify(choice) === text)) return undefined;
  return `expected one of ${variable.enum.map((choice) => JSON.stringify(choice)).join(", ")}, got ${describeValue(value)}`;
}

function typeText(variable: Variable): string {
  return variable.type === "any" ? "a value" : `a value of type ${variable.type}`;
}

function setOwn(target: Record<string, Json>, name: string, value: Json): void {
  // Variable names match [A-Za-z_][\w-]*, so __proto__ is possible; a plain assignment would set the prototype.
  if (name === "__proto__")
    Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
  else target[name] = value;
}
