import type { Json } from "../../base/json/json.ts";
import type { Path } from "../document/parse.ts";
import type { ExecutableDocument } from "../document/schema.ts";
import { splitText } from "../interpolation/template.ts";
import { FlowTypes } from "./flow-types.ts";
import { describeType, type Type } from "./types.ts";
import type { Report, WarningCheck } from "./warning.ts";

/** Warns about expressions that certainly fail or are always false, given the types of variables and outputs. */
export const checkExpressionTypes: WarningCheck = (view, report) => {
  const types = new FlowTypes(view);
  for (const { source, path, maps } of view.expressions)
    types.typeOfExpression(source, maps, (code, message, cure) =>
      report(code, path, `\${${shorten(source)}}: ${message}`, cure),
    );
  const want = (value: unknown, path: Path, maps: readonly ExecutableDocument[], kind: "bool" | "list") => {
    const found = typeof value === "string" && isWhole(value) ? types.typeOfTemplate(value, maps) : undefined;
    if (found !== undefined) checkKind(found, kind, value as string, path, report);
  };
  for (const { task, type, path, maps } of view.tasks) {
    want(task.condition, [...path, "condition"], maps, "bool");
    if (type === "map")
      want((task.parameters as Record<string, Json>)["items"], [...path, "parameters", "items"], maps, "list");
  }
  for (const [index, state] of (view.document.workflow.states ?? []).entries())
    for (const key of ["transitions", "on"] as const)
      for (const [at, { when }] of (state[key] ?? []).entries())
        want(when, ["workflow", "states", index, key, at, "when"], [], "bool");
};

function checkKind(found: Type, wanted: "bool" | "list", value: string, path: Path, report: Report): void {
  if (found.kind === wanted || found.kind === "dyn" || found.kind === "null") return;
  const [noun, cure] =
    wanted === "bool"
      ? ["true or false", "compare it with something: value > 0"]
      : ["a list", "give a list; the outputs of a group are tasks.id.outputs"];
  report(
    "EXPRESSION_TYPE_MISMATCH",
    path,
    `${shorten(value)} gives ${describeType(found)}; ${noun} is needed here`,
    cure,
  );
}

function isWhole(value: string): boolean {
  const parts = splitText(value);
  return typeof parts !== "string" && parts.length === 1 && typeof parts[0] === "object";
}

function shorten(source: string): string {
  return source.length > 80 ? `${source.slice(0, 77)}…` : source;
}
