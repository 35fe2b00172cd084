/** Templates: the list, and one with its source. */
import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { FlowVariableType } from "../../../gen/orchestrator/v1/flow_pb.ts";
import type { Template } from "../../../gen/orchestrator/v1/template_pb.ts";
import { TemplateService } from "../../../gen/orchestrator/v1/template_service_pb.ts";
import type { ApiClient } from "../../client/client.ts";
import { type Answer, answer, type Exchange, textOf } from "../exchange.ts";

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(FlowVariableType).map(([name, type]) => [type, name.toLowerCase()]),
);

/** `GET /api/v1/templates?category=`: all of them, by id. */
export async function listTemplates({ client, query }: Exchange): Promise<Answer> {
  const category = query.has("category") ? textOf(query, "category") : null;
  const found = (await readTemplates(client)).filter((template) => category === null || template.category === category);
  return answer(200, { templates: found.map(toTemplate), total: found.length });
}

/** `GET /api/v1/templates/{id}` */
export async function getTemplate({ client, params }: Exchange): Promise<Answer> {
  const { template } = await client.call(TemplateService.method.getTemplate, { templateId: params[0] ?? "" });
  if (template === undefined) throw new Error("a read answers with the template");
  return answer(200, { ...toTemplate(template), task_count: template.taskCount, source: template.source });
}

async function readTemplates(client: ApiClient): Promise<readonly Template[]> {
  const found: Template[] = [];
  let pageToken = "";
  do {
    const page = await client.call(TemplateService.method.listTemplates, { pageSize: 500, pageToken });
    found.push(...page.templates);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

function toTemplate({ templateId, name, description, category, version, variables }: Template) {
  return {
    id: templateId,
    name,
    description,
    category,
    version,
    variables: variables.map((variable) => ({
      name: variable.name,
      type: TYPE_NAMES.get(variable.type) ?? "any",
      description: variable.description,
      required: variable.required,
      ...(variable.defaultValue === undefined ? {} : { default: toJson(ValueSchema, variable.defaultValue) }),
    })),
  };
}
