/** The templates of a folder. */
import { fail, isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import { type Log, silentLog } from "../../base/log.ts";
import { ALL_SERVED, SERVED, type Served } from "../check/unserved.ts";
import { MAX_SOURCE_BYTES } from "../document/parse.ts";
import type { FileTemplates, FlowTemplate, RefusedFile } from "../ports/templates.ts";
import { openFolder } from "./folder.ts";
import { isMeantAsTemplate, likelyId, readTemplate } from "./read-template.ts";

/** What is known of one file. */
interface TemplateFile {
  /** Its last good content. */
  template: FlowTemplate | null;
  /** Why its present content is none. */
  error: OrchestratorError | null;
  /** It is a template elsewhere: nothing is wrong but what this service lacks. */
  needsMore: boolean;
  /** The id under which a file without any good content is looked for. */
  likelyId: string;
}

/** Of a file that was not meant as a template: nothing of its content. */
const NO_TEMPLATE = toError("FLOW_SOURCE_INVALID", {
  problem: "it is no template; expected an object with id and workflow",
});

/** All files together. */
interface View {
  readonly sorted: readonly FlowTemplate[];
  readonly byId: ReadonlyMap<string, FlowTemplate>;
  readonly refused: readonly RefusedFile[];
  /** Errors of files that provide no template, by their likely id. */
  readonly broken: ReadonlyMap<string, OrchestratorError>;
}

/** Options of {@link openTemplates}. */
export interface TemplateOptions {
  /** What flows may use; a template that uses more is refused. */
  readonly served?: Served;
  readonly log?: Log;
}

/**
 * Opens every `.yaml`, `.yml`, and `.json` file of a folder. A folder that does not exist has no templates until it
 * does. If two files have the same id, the first by name provides the template.
 */
export async function openTemplates(
  path: string,
  { served = SERVED, log = silentLog }: TemplateOptions = {},
): Promise<FileTemplates> {
  const files = new Map<string, TemplateFile>();
  let folderError: Error | null = null;
  let view = viewOf(files);
  const refresh = (): void => {
    const next = viewOf(files);
    report(view, next, log);
    view = next;
  };
  const folder = await openFolder(
    path,
    { pattern: /^[^.].*\.(ya?ml|json)$/, maxBytes: MAX_SOURCE_BYTES },
    {
      changed(name, text, error) {
        const file = files.get(name) ?? { template: null, error: null, needsMore: false, likelyId: "" };
        files.set(name, file);
        try {
          if (error !== null) fail("FLOW_SOURCE_INVALID", { problem: error.message }, { cause: error });
          file.template = readTemplate(text, served);
          file.error = null;
        } catch (thrown) {
          if (!isOrchestratorError(thrown)) throw thrown;
          file.error = error === null && !isMeantAsTemplate(text) ? NO_TEMPLATE : thrown;
          file.needsMore = isTemplate(text);
          file.likelyId = likelyId(name, text);
        }
      },
      removed(name) {
        files.delete(name);
      },
      failed(error) {
        if (error !== null && folderError?.message !== error.message)
          log.warn("the folder of templates cannot be read; what was read before stays", { folder: path, error });
        folderError = error;
      },
      settled: refresh,
    },
  );
  const getTemplate = async (templateId: string): Promise<FlowTemplate> => {
    await folder.fresh();
    const found = view.byId.get(templateId);
    if (found !== undefined) return found;
    const error = view.broken.get(templateId);
    if (error !== undefined) throw error;
    return fail("TEMPLATE_NOT_FOUND", { templateId });
  };
  return {
    async listTemplates(afterId, limit) {
      await folder.fresh();
      return view.sorted.filter((template) => template.templateId > afterId).slice(0, limit);
    },
    getTemplate,
    counts() {
      const byCategory = new Map<string, number>();
      for (const category of view.sorted.map((template) => template.category).sort())
        byCategory.set(category, (byCategory.get(category) ?? 0) + 1);
      return { count: view.sorted.length, byCategory, refused: view.refused };
    },
    close: folder.close,
  };
}

function viewOf(files: ReadonlyMap<string, TemplateFile>): View {
  const holders = new Map<string, string>();
  const byId = new Map<string, FlowTemplate>();
  const refused: RefusedFile[] = [];
  const broken = new Map<string, OrchestratorError>();
  for (const [file, { template, error, needsMore, likelyId: id }] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const holder = template === null ? undefined : holders.get(template.templateId);
    if (template !== null && holder === undefined) {
      holders.set(template.templateId, file);
      byId.set(template.templateId, template);
    }
    if (template === null && error !== null) broken.set(id, error);
    if (error !== null)
      refused.push({ file, error, needsMore, keeps: holder === undefined ? (template?.templateId ?? null) : null });
    else if (template !== null && holder !== undefined) {
      const problem = `the file ${holder} already has the template ${template.templateId}`;
      refused.push({ file, error: toError("FLOW_SOURCE_INVALID", { problem }), needsMore: false, keeps: null });
    }
  }
  const sorted = [...byId.values()].sort((a, b) => (a.templateId < b.templateId ? -1 : 1));
  return { sorted, byId, refused, broken };
}

/** Whether a text is a template of a service that has everything. */
function isTemplate(text: string): boolean {
  try {
    readTemplate(text, ALL_SERVED);
    return true;
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return false;
  }
}

/** Logs what a look at the folder has changed. */
function report(before: View, after: View, log: Log): void {
  const known = new Set(before.refused.map(({ file, error }) => `${file} ${error.message}`));
  for (const { file, error, keeps, needsMore } of after.refused) {
    if (known.has(`${file} ${error.message}`)) continue;
    if (needsMore) log.info("a template needs what this service does not have", { file, reason: error.message });
    else if (keeps === null) log.warn("a template is skipped", { file, error: error.message });
    else log.warn("a template is broken; its last good content stays", { file, template: keeps, error: error.message });
  }
  if (before.sorted.length === 0 && before.refused.length === 0) return;
  for (const { templateId, version, hash } of after.sorted)
    if (before.byId.get(templateId)?.hash !== hash) log.info("a template has changed", { templateId, version });
  for (const { templateId } of before.sorted)
    if (!after.byId.has(templateId)) log.info("a template is gone", { templateId });
}
