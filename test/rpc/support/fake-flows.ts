/** A registry of flows and a folder of templates in memory, for tests of the protocols. */

import type { TemplateSource } from "../../../src/api/services/template-service.ts";
import { fail, toError } from "../../../src/base/errors.ts";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { compileFlow } from "../../../src/flows/compile.ts";
import type { Plan } from "../../../src/flows/plan.ts";
import type { FlowRegistry, FlowVersion } from "../../../src/flows/ports/registry.ts";
import type { FlowTemplate, TemplateCatalogue } from "../../../src/flows/ports/templates.ts";
import type { FlowWarning } from "../../../src/flows/warnings/warning.ts";

/** The warning of a flow that has one. */
export const WARNING: FlowWarning = {
  code: "SUBFLOW_UNKNOWN",
  path: "workflow.tasks[0].parameters.flow_id",
  line: 3,
  column: 7,
  message: 'flow "x" is not registered',
  cure: "register it",
};

/**
 * Flows that are registered as they come; text must be JSON. A document with `problems: true` has two problems, one
 * with `warned: true` has {@link WARNING}.
 */
export function createFakeFlows(): FlowRegistry {
  const flows: FlowVersion[] = [];
  const find = (flowId: string, version: string): FlowVersion => {
    const found = flows.filter((flow) => flow.flowId === flowId && (version === "" || flow.version === version)).at(-1);
    if (found === undefined) throw toError("FLOW_NOT_FOUND", { flowId, hint: "" });
    return found;
  };
  const registry: FlowRegistry = {
    registerBuiltIn: (tenantId, document) => registry.registerFlow(tenantId, { document }, false),
    async registerFlow(tenantId, source, validateOnly) {
      const document = "document" in source ? source.document : (JSON.parse(source.text) as JsonObject);
      if (document.problems === true) {
        const problems = [
          { field: "workflow.tasks[0].type", description: "is unknown", line: 3, column: 7 },
          { field: "workflow.tasks[1].id", description: "is missing", line: 4, column: 1 },
        ];
        if (validateOnly) return { flow: null, created: false, problems, warnings: [] };
        throw toError(
          "FLOW_INVALID",
          { count: 2, first: "workflow.tasks[0].type is unknown" },
          { violations: problems },
        );
      }
      const flow: FlowVersion = {
        tenantId,
        flowId: String(document.id),
        version: String(document.version ?? "1"),
        hash: "b".repeat(64),
        name: String(document.name ?? document.id),
        description: "",
        kind: "dag",
        document,
        source: JSON.stringify(document),
        structure: { nodes: [], edges: [], joins: [], branches: [] },
        createdAt: 1_700_000_000_000 + flows.length * 1_000,
        latest: true,
      };
      if (!validateOnly) flows.push(flow);
      const warnings: readonly FlowWarning[] = document.warned === true ? [WARNING] : [];
      return { flow, created: !validateOnly, problems: [], warnings };
    },
    compile: (_tenantId, source) => compileFlow(source),
    getFlow: async (_tenantId, flowId, version) => find(flowId, version),
    listFlows: async (_tenantId, after, limit) =>
      [...new Map(flows.map((flow) => [flow.flowId, flow])).values()]
        .sort((a, b) => (a.flowId < b.flowId ? -1 : 1))
        .filter((flow) => flow.flowId > after)
        .slice(0, limit),
    listVersions: async (_tenantId, flowId, before, limit) =>
      flows
        .filter((flow) => flow.flowId === flowId && (before === null || flow.createdAt < before.createdAt))
        .reverse()
        .slice(0, limit),
    deleteVersion: async (_tenantId, flowId, version) => {
      flows.splice(flows.indexOf(find(flowId, version)), 1);
      return 1_700_000_000_000;
    },
    forget: () => {},
    drawFlow: async (_tenantId, flowId, version) => ({ version: find(flowId, version).version, mermaid: "graph TD;" }),
    planFor: async () => EMPTY_PLAN,
    planByHash: async () => EMPTY_PLAN,
    isLimitDeclared: async () => true,
  };
  return registry;
}

const EMPTY_PLAN: Plan = {
  kind: "dag",
  flowId: "f",
  version: "1",
  hash: "a".repeat(64),
  name: "f",
  variables: [],
  computed: [],
  signals: new Map(),
  timeoutMs: null,
  timeout: null,
  recovery: null,
  output: null,
  nodes: [],
  index: new Map(),
  externalIds: new Map(),
  roots: [],
  failFast: false,
};

const TEMPLATE: FlowTemplate = {
  templateId: "report",
  version: "1.0",
  name: "Report",
  description: "Makes a report",
  category: "demo",
  variables: [{ name: "folder", type: "string", required: true }],
  taskCount: 2,
  source: "id: report\n",
  document: { id: "report", version: "1.0", workflow: { tasks: [] } },
  hash: "0".repeat(64),
  approval: null,
};

/** One template, `report`. */
export function createFakeTemplates(): TemplateSource & Pick<TemplateCatalogue, "counts"> {
  const getTemplate = async (_: string, templateId: string): Promise<FlowTemplate> => {
    if (templateId !== TEMPLATE.templateId) throw toError("TEMPLATE_NOT_FOUND", { templateId });
    return TEMPLATE;
  };
  return {
    listTemplates: async (_, after) => (TEMPLATE.templateId > after ? [TEMPLATE] : []),
    getTemplate,
    deleteTemplate: async (_, templateId) =>
      templateId === TEMPLATE.templateId ? fail("TEMPLATE_IN_FILE", { templateId }) : false,
    counts: () => ({ count: 1, byCategory: new Map([["demo", 1]]), refused: [] }),
    fillTemplate: async (tenantId, templateId, fill) => ({
      ...(await getTemplate(tenantId, templateId)).document,
      ...(fill.flowId === "" ? {} : { id: fill.flowId }),
    }),
  };
}
