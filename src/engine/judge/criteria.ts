/**
 * Acceptance criteria of goals. One that begins with `cel:` is an expression over `result` and `goal`, which is
 * evaluated; the others are text, which a model judges.
 */
import type { FieldViolation } from "../../base/errors.ts";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { compileExpression, type Expression } from "../../flows/interpolation/expression.ts";

/** How a criterion begins that is an expression. */
const EXPRESSION_PREFIX = "cel:";

/** What expressions may read: the output of the goal, and the goal with its constraints, criteria, and budget. */
const READABLE = ["result", "goal"] as const;

/** What expressions are evaluated over. */
export interface Judged {
  readonly result: Json;
  readonly goal: JsonObject;
}

/** A criterion that is decided. `confidence` is from 0 to 1. */
export interface Verdict {
  readonly criterion: string;
  readonly met: boolean;
  readonly confidence: number;
  readonly reason: string;
}

/** Whether a criterion is an expression. */
export function isExpression(criterion: string): boolean {
  return criterion.startsWith(EXPRESSION_PREFIX);
}

/** Refuses criteria that are expressions and cannot be evaluated. Error: INVALID_REQUEST with all of them. */
export function checkCriteria(criteria: readonly string[]): void {
  const violations = criteria.flatMap((criterion, index): FieldViolation[] => {
    const compiled = isExpression(criterion) ? compile(criterion) : null;
    if (compiled === null || !("problem" in compiled)) return [];
    return [{ field: `acceptance_criteria[${index}]`, description: compiled.problem }];
  });
  const [first] = violations;
  if (first === undefined) return;
  const problem = `${first.field}: ${first.description}`;
  throw toError("INVALID_REQUEST", { problem, field: first.field }, { violations });
}

/** Evaluates a criterion that is an expression. What fails, or gives something else than true, is not met. */
export function evaluateCriterion(criterion: string, { result, goal }: Judged): Verdict {
  const decide = (met: boolean, reason: string): Verdict => ({ criterion, met, confidence: 1, reason });
  const compiled = compile(criterion);
  if ("problem" in compiled) return decide(false, compiled.problem);
  try {
    const value = compiled.evaluate({ vars: { result, goal }, run: {}, task: () => undefined });
    return value === true ? decide(true, "it is true") : decide(false, `it is ${show(value)}, not true`);
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return decide(false, error.message);
  }
}

function compile(criterion: string): Expression | { readonly problem: string } {
  // Compiled expressions are kept as long as their names.
  const names = { variables: new Set<string>(READABLE), tasks: new Set<string>() };
  const compiled = compileExpression(criterion.slice(EXPRESSION_PREFIX.length).trim(), names);
  if ("problems" in compiled) return { problem: `${compiled.problems.join("; ")}; it may read result and goal` };
  const stray = compiled.slots.find(({ root, path }) => root !== "vars" || !isReadable(path[0]));
  if (stray === undefined) return compiled;
  const read = stray.root === "vars" ? "vars" : stray.root;
  return { problem: `it reads ${read}, and may read result and goal only` };
}

function isReadable(name: string | number | undefined): boolean {
  return READABLE.some((one) => one === name);
}

function show(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
