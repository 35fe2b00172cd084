/** Templates as flow versions: each content is registered once, and then known. */
import { invariant, isOrchestratorError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { hashDocument } from "../document/identity.ts";
import type { FlowRegistry, FlowVersion, RegisterResult } from "../ports/registry.ts";
import type { FlowTemplate, TemplateCatalogue, TemplateStarts, UsedTemplate } from "../ports/templates.ts";

/** Registered templates in memory. */
const MAX_KNOWN = 1_000;
/** Longest version in the grammar of flows. */
const MAX_VERSION_LENGTH = 64;

/**
 * Registers a flow; if its version exists with other content, under `<version>+<hash8>`. Errors: those of
 * {@link FlowRegistry.registerFlow} but for FLOW_VERSION_EXISTS.
 */
export async function registerRenamed(
  flows: Pick<FlowRegistry, "registerFlow">,
  tenantId: string,
  document: JsonObject,
): Promise<RegisterResult & { readonly flow: FlowVersion }> {
  const attempt = async (named: JsonObject): Promise<RegisterResult & { readonly flow: FlowVersion }> => {
    const { flow, ...rest } = await flows.registerFlow(tenantId, { document: named }, false);
    invariant(flow, "a registration that does not only check answers with a flow");
    return { ...rest, flow };
  };
  try {
    return await attempt(document);
  } catch (error) {
    if (!isOrchestratorError(error) || error.code !== "FLOW_VERSION_EXISTS") throw error;
    const suffix = `+${hashDocument(document).slice(0, 8)}`;
    const version = String(document["version"]).slice(0, MAX_VERSION_LENGTH - suffix.length) + suffix;
    return attempt({ ...document, version });
  }
}

/** Creates the starts from a catalogue. */
export function createTemplateStarts(
  templates: Pick<TemplateCatalogue, "getTemplate">,
  flows: Pick<FlowRegistry, "registerFlow" | "planFor">,
): TemplateStarts {
  const known = new Map<string, Promise<UsedTemplate>>();

  const register = async (tenantId: string, template: FlowTemplate): Promise<UsedTemplate> => {
    const { flow, created } = await registerRenamed(flows, tenantId, template.document);
    return { flowId: flow.flowId, version: flow.version, flow, template, created };
  };

  const remember = (key: string, tenantId: string, template: FlowTemplate): Promise<UsedTemplate> => {
    const registered = register(tenantId, template);
    const registering = registered.then((used) => ({ ...used, created: false }));
    known.set(key, registering);
    if (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? "");
    // The caller sees the error; the next one tries again.
    registering.catch(() => {
      if (known.get(key) === registering) known.delete(key);
    });
    return registered;
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
      const template = await templates.getTemplate(tenantId, templateId);
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
