/** Templates with values: the document of a new flow. */
import { type FieldViolation, fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { describeValue } from "../../tasks/schema/describe-issue.ts";
import { hasType } from "../check/check-variables.ts";
import type { FlowTemplate, TemplateFill } from "../ports/templates.ts";

/** The document of a template with other defaults. Error: FLOW_INPUT_INVALID with all violations. */
export function fillTemplate(template: FlowTemplate, { variables, flowId, version }: TemplateFill): JsonObject {
  const violations: FieldViolation[] = [];
  for (const [name, value] of Object.entries(variables)) {
    const variable = template.variables.find((each) => each.name === name);
    const type = variable?.type ?? "any";
    if (variable === undefined) violations.push({ field: name, description: `the template has no variable "${name}"` });
    else if (!hasType(value, type))
      violations.push({ field: name, description: `expected a value of type ${type}, got ${describeValue(value)}` });
  }
  const [first] = violations;
  if (first !== undefined)
    fail(
      "FLOW_INPUT_INVALID",
      { flowId: template.templateId, problem: `${first.field}: ${first.description}` },
      { violations },
    );
  const filled = template.variables.map((variable) =>
    Object.hasOwn(variables, variable.name) ? { ...variable, default: variables[variable.name] } : variable,
  );
  return {
    ...template.document,
    ...(flowId === "" ? {} : { id: flowId }),
    ...(version === "" ? {} : { version }),
    ...(filled.length === 0 ? {} : { variables: filled as unknown as Json }),
  };
}
