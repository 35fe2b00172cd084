/**
 * The list of warnings. A new check is one file and one line here, and its code is a line in the table of warning.ts.
 */
import { formatPath } from "../../tasks/schema/format-path.ts";
import { MAX_PROBLEMS, type ParsedSource } from "../document/parse.ts";
import type { FlowDocument } from "../document/schema.ts";
import { checkErrorTypes } from "./error-types.ts";
import { checkExpressionTypes } from "./expressions.ts";
import { checkOneSidedTargets } from "./one-sided-targets.ts";
import { checkPatterns } from "./patterns.ts";
import { checkCallsAreAllowed } from "./service/denied-calls.ts";
import { checkGraphIsLoaded } from "./service/graph-not-loaded.ts";
import { checkSubflows } from "./service/subflows.ts";
import { checkSignalsAreUsed } from "./signals.ts";
import { viewFlow } from "./view.ts";
import type { FlowWarning, FlowWorld, WarningCheck } from "./warning.ts";
import { checkKeysHaveAnEffect } from "./without-effect.ts";

const CHECKS: readonly WarningCheck[] = [
  checkCallsAreAllowed,
  checkErrorTypes,
  checkExpressionTypes,
  checkGraphIsLoaded,
  checkKeysHaveAnEffect,
  checkOneSidedTargets,
  checkPatterns,
  checkSignalsAreUsed,
  checkSubflows,
];

/**
 * Returns the warnings for a flow without problems, in source order, at most {@link MAX_PROBLEMS}. Without `world`,
 * only those that need no service.
 */
export async function findWarnings(
  document: FlowDocument,
  source: Pick<ParsedSource, "positionOf">,
  world: FlowWorld | undefined,
): Promise<readonly FlowWarning[]> {
  const found = new Map<string, FlowWarning>();
  const view = viewFlow(document);
  for (const check of CHECKS) {
    await check(
      view,
      (code, path, message, cure) => {
        const warning = { code, path: formatPath(path), ...source.positionOf(path), message, cure };
        found.set([code, warning.path, message].join("\n"), warning);
      },
      world,
    );
  }
  const byPlace = (a: FlowWarning, b: FlowWarning): number =>
    (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
  return [...found.values()].sort(byPlace).slice(0, MAX_PROBLEMS);
}
