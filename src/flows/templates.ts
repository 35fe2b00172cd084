import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type FieldViolation, fail, isOrchestratorError, type OrchestratorError, toError } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json/json.ts";
import { describeValue } from "../tasks/schema/describe-issue.ts";
import { checkFlow } from "./check/check.ts";
import { hasType } from "./check/check-variables.ts";
import { SERVED } from "./check/unserved.ts";
import { hashDocument, versionOf } from "./document/identity.ts";
import { readFlowSource } from "./document/parse.ts";
import type { FlowDocument, VariableDocument } from "./document/schema.ts";

/** A flow that is stored as a file, to be filled in and registered. */
export interface FlowTemplate {
  /** The `id` of its definition. */
  readonly templateId: string;
  readonly version: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly variables: readonly VariableDocument[];
  /** Tasks or states. */
  readonly taskCount: number;
  readonly source: string;
  readonly document: JsonObject;
}

/** What can be filled into a template. */
export interface TemplateFill {
  /** New defaults of the flow's variables. */
  readonly variables: JsonObject;
  /** Id of the new flow; empty means that of the template. */
  readonly flowId: string;
  /** Version of the new flow; empty means that of the template. */
  readonly version: string;
}

/** The templates of a folder, as of the time when it was opened. */
export interface TemplateCatalogue {
  /** Lists templates by id, starting after `afterId`. */
  listTemplates(afterId: string, limit: number): readonly FlowTemplate[];
  /** Returns a template. Error: TEMPLATE_NOT_FOUND. */
  getTemplate(templateId: string): FlowTemplate;
  /** Returns the document of a new flow. Errors: TEMPLATE_NOT_FOUND, FLOW_INPUT_INVALID with all violations. */
  fillTemplate(templateId: string, fill: TemplateFill): JsonObject;
  /** Files without a valid flow, with the error; they are not listed. */
  readonly refused: readonly { readonly file: string; readonly error: OrchestratorError }[];
}

/**
 * Reads every `.yaml`, `.yml`, and `.json` file of a folder. A missing folder has no templates; other file system
 * errors are thrown unchanged.
 */
export async function openTemplates(folder: string): Promise<TemplateCatalogue> {
  const templates = new Map<string, FlowTemplate>();
  const refused: { file: string; error: OrchestratorError }[] = [];
  for (const file of await listFiles(folder)) {
    try {
      const template = readTemplate(await readFile(join(folder, file), "utf8"));
      if (templates.has(template.templateId))
        throw toError("FLOW_SOURCE_INVALID", {
          problem: `another file already has the template ${template.templateId}`,
        });
      templates.set(template.templateId, template);
    } catch (error) {
      if (!isOrchestratorError(error)) throw error;
      refused.push({ file, error });
    }
  }
  const sorted = [...templates.values()].sort((a, b) => (a.templateId < b.templateId ? -1 : 1));
  const getTemplate = (templateId: string): FlowTemplate =>
    templates.get(templateId) ?? fail("TEMPLATE_NOT_FOUND", { templateId });
  return {
    listTemplates: (afterId, limit) => sorted.filter((template) => template.templateId > afterId).slice(0, limit),
    getTemplate,
    fillTemplate: (templateId, fill) => fillTemplate(getTemplate(templateId), fill),
    refused,
  };
}

async function listFiles(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((file) => /\.(ya?ml|json)$/.test(file)).sort();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

function readTemplate(source: string): FlowTemplate {
  const { document, problems } = checkFlow(readFlowSource(source), SERVED);
  problems.throwIfAny();
  const flow = document as FlowDocument;
  const { workflow } = flow;
  return {
    templateId: flow.id,
    version: versionOf(flow, hashDocument(flow as Json)),
    name: flow.name ?? flow.id,
    description: flow.description ?? "",
    category: flow.category ?? "",
    variables: flow.variables ?? [],
    taskCount: (workflow.tasks ?? workflow.states ?? []).length,
    source,
    document: flow as unknown as JsonObject,
  };
}

function fillTemplate(template: FlowTemplate, { variables, flowId, version }: TemplateFill): JsonObject {
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
