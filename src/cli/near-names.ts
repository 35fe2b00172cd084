/** "Did you mean": suggests the most similar name on the service or in the folder. */
import { readdirSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { ApiClient } from "../api/client/client.ts";
import { isOrchestratorError, type OrchestratorError } from "../base/errors.ts";
import { ApprovalService } from "../gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../gen/orchestrator/v1/template_service_pb.ts";
import { suggest } from "../tasks/schema/suggest.ts";
import { quoteWord } from "./command-context.ts";
import { readPages } from "./input/read-pages.ts";

/** Most names of one kind to read from the service. */
const MAX_NAMES = 1_000;

/** Timeout for listing names, milliseconds; a hint is not worth more. */
const PATIENCE_MS = 2_000;

/** Adds the most similar name to an error about a missing object. Never fails: an error without a hint is fine. */
export async function addNearNames(error: unknown, client: ApiClient): Promise<void> {
  if (!isOrchestratorError(error)) return;
  try {
    error.message += await hintFor(error, client);
  } catch (problem) {
    if (!isOrchestratorError(problem)) throw problem;
  }
}

async function hintFor(error: OrchestratorError, client: ApiClient): Promise<string> {
  const detail = (name: string): string => String(error.details[name] ?? "");
  switch (error.code) {
    case "FLOW_NOT_FOUND":
      // A hint from the service is about versions: the flow itself exists.
      return detail("hint") === "" ? hintForFlow(detail("flowId"), client) : "";
    case "RUN_NOT_FOUND":
      return suggest(detail("runId"), await listRuns(client));
    case "TEMPLATE_NOT_FOUND":
      return suggest(detail("templateId"), await listTemplates(client));
    case "APPROVAL_NOT_FOUND":
      return hintForApproval(detail("runId"), client);
    default:
      return "";
  }
}

async function hintForFlow(flowId: string, client: ApiClient): Promise<string> {
  const near = suggest(flowId, await listFlows(client));
  if (near !== "") return near;
  const files = listFlowFiles();
  const file = pick(flowId, [...files.keys()]);
  if (file !== "") return `; did you mean the file ${quoteWord(files.get(file) ?? file)}?`;
  const template = pick(flowId, await listTemplates(client));
  return template === "" ? "" : `; did you mean the template ${template}? "templates get ${template}" prints it`;
}

/** The name itself or the most similar one; empty if none is similar. */
function pick(name: string, unsorted: readonly string[]): string {
  // Of several with the same prefix, the shortest is the most similar.
  const known = unsorted.toSorted((a, b) => a.length - b.length);
  return known.includes(name) ? name : (/"(.+)"/.exec(suggest(name, known))?.[1] ?? "");
}

async function hintForApproval(runId: string, client: ApiClient): Promise<string> {
  const filter = `run_id == ${JSON.stringify(runId)} && state == "PENDING"`;
  const options = { timeoutMs: PATIENCE_MS };
  const { approvals } = await client.call(ApprovalService.method.listApprovals, { filter, pageSize: 10 }, options);
  const open = approvals.map(({ approvalId, taskId }) => `${approvalId} (${taskId})`);
  return open.length === 0 ? "; none is open" : `; open: ${open.join(", ")}`;
}

function listFlows(client: ApiClient): Promise<readonly string[]> {
  return readPages(MAX_NAMES, async (pageToken, pageSize) => {
    const request = { pageToken, pageSize };
    const { flows, nextPageToken } = await client.call(FlowService.method.listFlows, request, {
      timeoutMs: PATIENCE_MS,
    });
    return { lines: flows.map(({ flowId }) => flowId), next: nextPageToken };
  });
}

function listTemplates(client: ApiClient): Promise<readonly string[]> {
  return readPages(MAX_NAMES, async (pageToken, pageSize) => {
    const request = { pageToken, pageSize };
    const page = await client.call(TemplateService.method.listTemplates, request, { timeoutMs: PATIENCE_MS });
    return { lines: page.templates.map(({ templateId }) => templateId), next: page.nextPageToken };
  });
}

/** Ids of the newest runs. */
async function listRuns(client: ApiClient): Promise<readonly string[]> {
  const { runs } = await client.call(RunService.method.listRuns, { pageSize: 200 }, { timeoutMs: PATIENCE_MS });
  return runs.map(({ runId }) => runId);
}

/**
 * Flow files nearby, by name without extension: in this folder, its usual subfolders, and the examples of a checkout.
 */
function listFlowFiles(): ReadonlyMap<string, string> {
  const examples = join(dirname(fileURLToPath(import.meta.url)), "../../examples");
  const folders = [".", "flows", "examples", "templates", relative(process.cwd(), examples)];
  const files = new Map<string, string>();
  for (const folder of folders)
    for (const name of listSources(folder)) {
      const id = basename(name).replace(/\.(ya?ml|json)$/, "");
      if (!files.has(id)) files.set(id, join(folder, name));
    }
  return files;
}

function listSources(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => /\.(ya?ml|json)$/.test(name));
  } catch {
    return []; // The folder does not exist.
  }
}

/** `; did you mean "…"?` for a missing file, from the other files in its folder. */
export function suggestFile(path: string): string {
  const stem = (name: string): string => name.replace(/\.(ya?ml|json)$/, "");
  try {
    const files = new Map(readdirSync(dirname(path)).map((name) => [stem(name), name]));
    const found = files.get(pick(stem(basename(path)), [...files.keys()]));
    return found === undefined ? "" : `; did you mean ${quoteWord(join(dirname(path), found))}?`;
  } catch {
    // Reached only if the folder is missing or unreadable.
    return "; its folder cannot be read either";
  }
}
