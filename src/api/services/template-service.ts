/** TemplateService: reads templates and creates flows from them. */
import { create } from "@bufbuild/protobuf";
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import type { FlowTemplate, TemplateCatalogue, TemplateStarts } from "../../flows/ports/templates.ts";
import { registerRenamed } from "../../flows/templates/use-template.ts";
import type { Template } from "../../gen/orchestrator/v1/template_pb.ts";
import { TemplateSchema } from "../../gen/orchestrator/v1/template_pb.ts";
import {
  DeleteTemplateResponseSchema,
  GetTemplateResponseSchema,
  InstantiateTemplateResponseSchema,
  ListTemplatesResponseSchema,
  TemplateService,
} from "../../gen/orchestrator/v1/template_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { cutPage, pageSizeOf } from "../lists/paging.ts";
import type { Tokens } from "../lists/tokens.ts";
import { toFlow, toProblems, toVariables, toWarnings } from "../mapping/flow.ts";
import type { PayloadLimits } from "../mapping/payload.ts";
import { fromObjectPayload } from "../mapping/payload.ts";
import { toTimestamp } from "../mapping/time.ts";

export type TemplateSource = Pick<
  TemplateCatalogue,
  "listTemplates" | "getTemplate" | "fillTemplate" | "deleteTemplate"
>;

interface Needs {
  readonly templates: TemplateSource;
  readonly templateStarts: TemplateStarts;
  readonly flows: FlowRegistry;
  readonly tokens: Tokens;
  readonly limits: PayloadLimits;
}

function createHandlers({
  templates,
  templateStarts,
  flows,
  tokens,
  limits,
}: Needs): ServiceHandlers<typeof TemplateService> {
  return {
    async listTemplates(request, { caller }) {
      const query = ["ListTemplates"];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const size = pageSizeOf(request.pageSize);
      const found = await templates.listTemplates(caller.tenantId, place === null ? "" : String(place[0]), size + 1);
      const { lines, next } = cutPage(found, size, (template) => [template.templateId]);
      const nextPageToken = next === null ? "" : tokens.toPageToken(caller.tenantId, query, next);
      return create(ListTemplatesResponseSchema, {
        templates: lines.map((template) => toTemplate(template, false)),
        nextPageToken,
      });
    },

    async getTemplate(request, { caller }) {
      return create(GetTemplateResponseSchema, {
        template: toTemplate(await templates.getTemplate(caller.tenantId, request.templateId), true),
      });
    },

    async instantiateTemplate(request, { caller }) {
      const { templateId, flowId, version, validateOnly } = request;
      const variables: JsonObject = fromObjectPayload(request.variablesValue, "variables", limits);
      const renames = request.renameOnConflict && !validateOnly;
      if (renames && flowId === "" && version === "" && Object.keys(variables).length === 0) {
        // Known to the instance, most of the time.
        const { flow, created } = await templateStarts.useTemplate(caller.tenantId, templateId);
        return create(InstantiateTemplateResponseSchema, { flow: toFlow(flow, true), created });
      }
      const document = await templates.fillTemplate(caller.tenantId, templateId, { variables, flowId, version });
      const result = renames
        ? await registerRenamed(flows, caller.tenantId, document)
        : await flows.registerFlow(caller.tenantId, { document }, validateOnly);
      const response = create(InstantiateTemplateResponseSchema, {
        created: result.created,
        problems: toProblems(result.problems),
        warnings: toWarnings(result.warnings),
      });
      if (result.flow !== null) response.flow = toFlow(result.flow, true);
      return response;
    },

    async deleteTemplate({ templateId }, { caller }) {
      const deleted = await templates.deleteTemplate(caller.tenantId, templateId);
      return create(DeleteTemplateResponseSchema, { deleted });
    },
  };
}

function toTemplate(template: FlowTemplate, withSource: boolean): Template {
  return create(TemplateSchema, {
    templateId: template.templateId,
    version: template.version,
    name: template.name,
    description: template.description,
    category: template.category,
    variables: toVariables(template.variables as unknown as Json),
    taskCount: template.taskCount,
    source: withSource ? template.source : "",
    generationId: template.approval?.generationId ?? "",
    approvedBy: template.approval?.by ?? "",
    ...(template.approval === null ? {} : { approveTime: toTimestamp(template.approval.at) }),
  });
}

export const templateService = defineService(TemplateService, createHandlers);
