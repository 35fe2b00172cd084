/** Makes an approved draft a template, and a flow of its own, so that nobody else's flow ever has its id. */
import { fail, isOrchestratorError } from "../../base/errors.ts";
import { withOtherId } from "../../flows/drafts/check-draft.ts";
import type { FlowRegistry, FlowVersion } from "../../flows/ports/registry.ts";
import type { KeptTemplates, TemplateCatalogue } from "../../flows/ports/templates.ts";

export interface KeepParts {
  readonly flows: Pick<FlowRegistry, "registerFlow" | "getFlow">;
  readonly templates: Pick<TemplateCatalogue, "getTemplate">;
  readonly kept: Pick<KeptTemplates, "find" | "keep">;
}

/** A draft as it was approved, checked once more. */
interface ApprovedDraft {
  readonly source: string;
  readonly flow: FlowVersion;
  readonly generationId: string;
  /** Empty: unknown. */
  readonly by: string;
}

/** Most ids that are tried. */
const MAX_IDS = 10;

/**
 * Registers a draft, and stores it as a template. One whose id was taken while it waited gets another one, and is
 * otherwise what was approved. Returns the id; a draft that is a template already keeps its own. Error:
 * TEMPLATE_ID_TAKEN if all ids are.
 */
export async function keepDraft(parts: KeepParts, tenantId: string, draft: ApprovedDraft): Promise<string> {
  let { source, flow } = draft;
  for (let tries = 1; tries <= MAX_IDS; tries += 1) {
    if (await keepAs(parts, tenantId, { ...draft, source, flow })) return flow.flowId;
    source = withOtherId(source, flow.flowId, flow.hash);
    const checked = await parts.flows.registerFlow(tenantId, { text: source }, true);
    flow = checked.flow ?? fail("DRAFT_INVALID", { problem: "the service has changed" });
  }
  return fail("TEMPLATE_ID_TAKEN", { templateId: draft.flow.flowId });
}

/** False: the id is somebody else's. */
async function keepAs(parts: KeepParts, tenantId: string, draft: ApprovedDraft): Promise<boolean> {
  const { source, flow, generationId, by } = draft;
  const { flowId: templateId, hash } = flow;
  if ((await parts.kept.find(tenantId, templateId))?.approval.generationId === generationId) return true;
  if (await hasTemplate(parts, tenantId, templateId)) return false;
  if (!(await register(parts, tenantId, draft))) return false;
  return parts.kept.keep(tenantId, { templateId, source, hash, generationId, by });
}

/** False: there is a flow with the id and other content. One with this content may be of an attempt before. */
async function register(parts: KeepParts, tenantId: string, { source, flow }: ApprovedDraft): Promise<boolean> {
  const { flows } = parts;
  try {
    if (await hasFlow(parts, tenantId, flow.flowId))
      return (await flows.getFlow(tenantId, flow.flowId, flow.version)).hash === flow.hash;
    await flows.registerFlow(tenantId, { text: source }, false);
    return true;
  } catch (error) {
    if (isOneOf(error, ["FLOW_NOT_FOUND", "FLOW_VERSION_EXISTS"])) return false;
    throw error;
  }
}

/** Whether a template, also one that cannot be used, has the id. */
export function hasTemplate(
  { templates }: Pick<KeepParts, "templates">,
  tenantId: string,
  id: string,
): Promise<boolean> {
  return isThere(templates.getTemplate(tenantId, id), "TEMPLATE_NOT_FOUND");
}

/** Whether a flow has the id. */
export function hasFlow({ flows }: Pick<KeepParts, "flows">, tenantId: string, id: string): Promise<boolean> {
  return isThere(flows.getFlow(tenantId, id, ""), "FLOW_NOT_FOUND");
}

async function isThere(look: Promise<unknown>, missing: string): Promise<boolean> {
  try {
    await look;
    return true;
  } catch (error) {
    if (!isOrchestratorError(error) || error.retry !== "no") throw error;
    return error.code !== missing;
  }
}

function isOneOf(error: unknown, codes: readonly string[]): boolean {
  return isOrchestratorError(error) && codes.includes(error.code);
}
