/** Templates as flow versions: each content is registered once, and then known. */
import { isOrchestratorError } from "../../base/errors.ts";
import type { FlowRegistry } from "../ports/registry.ts";
import type { FlowTemplate, TemplateCatalogue, TemplateStarts, UsedTemplate } from "../ports/templates.ts";

/** Registered templates in memory. */
const MAX_KNOWN = 1_000;
/** Longest version in the grammar of flows. */
const MAX_VERSION_LENGTH = 64;

/** Creates the starts from a catalogue. */
export function createTemplateStarts(
  templates: Pick<TemplateCatalogue, "getTemplate">,
  flows: Pick<FlowRegistry, "registerFlow" | "planFor">,
): TemplateStarts {
  const known = new Map<string, Promise<UsedTemplate>>();

  const register = async (tenantId: string, template: FlowTemplate): Promise<UsedTemplate> => {
    const { document, version, hash } = template;
    const attempt = async (named: typeof document): Promise<UsedTemplate> => {
      const { flow } = await flows.registerFlow(tenantId, { document: named }, false);
      if (flow === null) throw new Error("a registration that checks only was not asked for");
      return { flowId: flow.flowId, version: flow.version, flow, template };
    };
    try {
      return await attempt(document);
    } catch (error) {
      if (!isOrchestratorError(error) || error.code !== "FLOW_VERSION_EXISTS") throw error;
      const suffix = `+${hash.slice(0, 8)}`;
      return attempt({ ...document, version: version.slice(0, MAX_VERSION_LENGTH - suffix.length) + suffix });
    }
  };

  const remember = (key: string, tenantId: string, template: FlowTemplate): Promise<UsedTemplate> => {
    const registering = register(tenantId, template);
    known.set(key, registering);
    if (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? "");
    // The caller sees the error; the next one tries again.
    registering.catch(() => {
      if (known.get(key) === registering) known.delete(key);
    });
    return registering;
  };

  /** Cached by the registry; false once the version has been deleted. */
  const isRegistered = async (tenantId: string, { flowId, version }: UsedTemplate): Promise<boolean> => {
    try {
      await flows.planFor(tenantId, flowId, version);
      return true;
    } catch (error) {
      if (!isOrchestratorError(error) || error.code !== "FLOW_NOT_FOUND") throw error;
      return false;
    }
  };

  return {
    async useTemplate(tenantId, templateId) {
      const template = await templates.getTemplate(templateId);
      const key = `${tenantId} ${templateId} ${template.hash}`;
      const registered = known.get(key);
      if (registered === undefined) return remember(key, tenantId, template);
      const used = await registered;
      if (await isRegistered(tenantId, used)) return used;
      // Of several that notice a deletion, the first registers.
      const again = known.get(key);
      return again === undefined || again === registered ? remember(key, tenantId, template) : again;
    },
  };
}
