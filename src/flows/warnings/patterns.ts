import { isOrchestratorError } from "../../base/errors.ts";
import { compileExpression } from "../interpolation/expression.ts";
import { parse } from "./flow-types.ts";
import { nodesOf } from "./nodes.ts";
import type { WarningCheck } from "./warning.ts";

const NO_SCOPE = { vars: {}, run: {}, task: () => undefined };

/**
 * Warns about constant patterns of `matches` that do not compile. They are checked with the same regular expression
 * engine that runs them.
 */
export const checkPatterns: WarningCheck = ({ expressions }, report) => {
  for (const { source, path } of expressions) {
    const tree = source.includes("matches") ? parse(source) : undefined;
    for (const node of tree === undefined ? [] : nodesOf(tree)) {
      if (node.kind !== "call" || node.name !== "matches") continue;
      const pattern = node.args.at(-1);
      if (pattern?.kind !== "constant" || typeof pattern.value !== "string") continue;
      const problem = problemOf(pattern.value);
      if (problem !== undefined)
        report(
          "PATTERN_INVALID",
          path,
          `the pattern "${pattern.value.slice(0, 60)}" does not compile${problem}`,
          "write it in RE2 syntax, which has no look-around and no back-references",
        );
    }
  }
};

/** Why a pattern fails on empty text; undefined if it does not. */
function problemOf(pattern: string): string | undefined {
  const compiled = compileExpression(`"".matches(${JSON.stringify(pattern)})`, {
    variables: new Set(),
    tasks: new Set(),
  });
  if ("problems" in compiled) return undefined;
  try {
    compiled.evaluate(NO_SCOPE);
    return undefined;
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    if (error.code !== "EXPRESSION_FAILED") return undefined;
    const reason = /error parsing regexp: ([^\n"]{1,100})/.exec(error.message)?.[1];
    return reason === undefined ? "" : `: ${reason}`;
  }
}
