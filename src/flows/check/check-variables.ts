import type { Json } from "../../base/json/json.ts";
import { describeValue } from "../../tasks/schema/describe-issue.ts";
import type { Problems } from "../document/problems.ts";
import type { FlowDocument, VariableDocument } from "../document/schema.ts";
import { isReserved } from "../interpolation/references.ts";
import { checkPlainTemplate } from "./check-expressions.ts";

/** Checks the declared variables and those that the workflow computes from them. */
export function checkVariables(draft: Partial<FlowDocument>, problems: Problems): void {
  const declared = new Set<string>();
  for (const [index, variable] of (draft.variables ?? []).entries()) {
    if (variable === null || typeof variable.name !== "string") continue;
    const path = ["variables", index];
    if (declared.has(variable.name))
      problems.add([...path, "name"], `the variable "${variable.name}" is declared twice`);
    declared.add(variable.name);
    if (isReserved(variable.name)) {
      problems.add([...path, "name"], `"${variable.name}" is a name of the expression language; choose another`);
    }
    checkVariable(variable, path, problems);
  }
  const computed = draft.workflow?.variables;
  if (computed === undefined || computed === null) return;
  for (const [name, value] of Object.entries(computed)) {
    checkPlainTemplate(
      value as Json,
      ["workflow", "variables", name],
      { variables: declared, tasks: new Set() },
      ["vars"],
      problems,
    );
  }
}

function checkVariable(variable: VariableDocument, path: readonly (string | number)[], problems: Problems): void {
  const type = variable.type ?? "any";
  for (const [index, choice] of (variable.enum ?? []).entries()) {
    if (!hasType(choice as Json, type))
      problems.add([...path, "enum", index], `expected a value of type ${type}, got ${describeValue(choice as Json)}`);
  }
  if (variable.default === undefined) return;
  const value = variable.default as Json;
  if (!hasType(value, type))
    problems.add([...path, "default"], `expected a value of type ${type}, got ${describeValue(value)}`);
  else if (
    variable.enum !== undefined &&
    !variable.enum.some((choice) => JSON.stringify(choice) === JSON.stringify(value))
  ) {
    problems.add([...path, "default"], "the default is not one of the values that enum lists");
  }
}

/** Whether a value has the type of a variable. */
export function hasType(value: Json, type: NonNullable<VariableDocument["type"]>): boolean {
  switch (type) {
    case "any":
      return true;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
