/** The templates of a tenant: those of the folder, then the drafts that were approved. */
import { fail, isOrchestratorError } from "../../base/errors.ts";
import type { Served } from "../check/unserved.ts";
import type {
  FileTemplates,
  FlowTemplate,
  KeptTemplate,
  KeptTemplates,
  TemplateCatalogue,
} from "../ports/templates.ts";
import { fillTemplate } from "./fill-template.ts";
import { readTemplate } from "./read-template.ts";

/** Approved drafts in memory. */
const MAX_KNOWN = 1_000;

/** Creates the catalogue. `served`: what flows may use. */
export function createCatalogue(files: FileTemplates, kept: KeptTemplates, served: Served): TemplateCatalogue {
  /** Parsed sources, by the generations that wrote them. Any of them may have been deleted. */
  const known = new Map<string, FlowTemplate>();

  const read = (tenantId: string, { templateId, source, approval }: KeptTemplate): FlowTemplate => {
    const key = `${tenantId} ${templateId} ${approval.generationId}`;
    const template = known.get(key) ?? { ...readTemplate(source, served), approval };
    known.set(key, template);
    if (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? "");
    return template;
  };

  const isFile = async (templateId: string): Promise<boolean> =>
    files.getTemplate(templateId).then(
      () => true,
      (error: unknown) => !isMissing(error),
    );

  /** Those that can be used; one that needs what the service does not have any more is not listed. */
  const listKept = async (tenantId: string, afterId: string, limit: number): Promise<readonly FlowTemplate[]> => {
    const found: FlowTemplate[] = [];
    for (let after = afterId; ; ) {
      const page = await kept.list(tenantId, after, limit);
      for (const one of page) {
        if (await isFile(one.templateId)) continue;
        try {
          found.push(read(tenantId, one));
        } catch (error) {
          if (!isOrchestratorError(error)) throw error;
        }
      }
      const last = page.at(-1);
      if (last === undefined || page.length < limit || found.length >= limit) return found;
      after = last.templateId;
    }
  };

  const getTemplate = async (tenantId: string, templateId: string): Promise<FlowTemplate> => {
    try {
      return await files.getTemplate(templateId);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    const found = await kept.find(tenantId, templateId);
    return found === null ? fail("TEMPLATE_NOT_FOUND", { templateId }) : read(tenantId, found);
  };

  return {
    async listTemplates(tenantId, afterId, limit) {
      const [ofFiles, ofDrafts] = await Promise.all([
        files.listTemplates(afterId, limit),
        listKept(tenantId, afterId, limit),
      ]);
      return [...ofFiles, ...ofDrafts].sort((a, b) => (a.templateId < b.templateId ? -1 : 1)).slice(0, limit);
    },
    getTemplate,
    fillTemplate: async (tenantId, templateId, fill) => fillTemplate(await getTemplate(tenantId, templateId), fill),
    async deleteTemplate(tenantId, templateId) {
      const deleted = await kept.remove(tenantId, templateId);
      if (!deleted && (await isFile(templateId))) fail("TEMPLATE_IN_FILE", { templateId });
      return deleted;
    },
    counts: files.counts,
  };
}

function isMissing(error: unknown): boolean {
  return isOrchestratorError(error) && error.code === "TEMPLATE_NOT_FOUND";
}
