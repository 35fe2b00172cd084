/** Names for completion, from a service or the user's profiles. */
import type { ApiClient, ClientCallOptions } from "../../api/client/client.ts";
import { fromTimestamp } from "../../api/mapping/time.ts";
import { ApprovalService } from "../../gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import { LimitService } from "../../gen/orchestrator/v1/limit_service_pb.ts";
import { OperationService } from "../../gen/orchestrator/v1/operation_service_pb.ts";
import { QueueService } from "../../gen/orchestrator/v1/queue_service_pb.ts";
import { RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import { TemplateService } from "../../gen/orchestrator/v1/template_service_pb.ts";
import type { WordKind } from "../completion/completed.ts";

/** Most names to offer. */
const MAX_WORDS = 50;

/** Page size. Names beyond one page are offered once more of them is typed. */
const PAGE_SIZE = 200;

export interface WordQuery {
  readonly kind: Exclude<WordKind, "file" | "profile">;
  /** Prefix of the names. */
  readonly prefix: string;
  /** Arguments before the word. */
  readonly before: readonly string[];
}

/** At most 50 names of a service with the prefix, newest first. */
export async function listWords(
  client: ApiClient,
  query: WordQuery,
  options: ClientCallOptions,
): Promise<readonly string[]> {
  return pickWords(await readWords(client, query, options), query.prefix);
}

/** Distinct names with the prefix, except those that a shell could read as more than one word. */
export function pickWords(words: readonly string[], prefix: string): readonly string[] {
  const plain = words.filter((word) => word.startsWith(prefix) && /^[A-Za-z0-9][\w.~-]*$/.test(word));
  return [...new Set(plain)].slice(0, MAX_WORDS);
}

async function readWords(
  client: ApiClient,
  { kind, prefix, before }: WordQuery,
  options: ClientCallOptions,
): Promise<readonly string[]> {
  const startsWith = (field: string): string => filterPrefix(field, prefix);
  const page = { pageSize: PAGE_SIZE };
  switch (kind) {
    case "flow": {
      const request = { ...page, filter: startsWith("flow_id") };
      const { flows } = await client.call(FlowService.method.listFlows, request, options);
      const time = ({ createTime }: (typeof flows)[number]): number =>
        createTime === undefined ? 0 : fromTimestamp(createTime);
      return flows.toSorted((a, b) => time(b) - time(a)).map(({ flowId }) => flowId);
    }
    case "run": {
      const request = { pageSize: MAX_WORDS, filter: startsWith("run_id") };
      const { runs } = await client.call(RunService.method.listRuns, request, options);
      return runs.map(({ runId }) => runId);
    }
    case "asking-run":
      return (await listOpenApprovals(client, startsWith("run_id"), options)).map(({ runId }) => runId);
    case "approval": {
      const filter = `run_id == ${JSON.stringify(before[0] ?? "")}`;
      const open = await listOpenApprovals(client, filter, options);
      return open.flatMap(({ approvalId, taskId }) => [approvalId, taskId]);
    }
    case "operation": {
      const request = { ...page, filter: startsWith("operation_id") };
      const { operations } = await client.call(OperationService.method.listOperations, request, options);
      return operations.map(({ operationId }) => operationId);
    }
    case "queue": {
      const { queues } = await client.call(QueueService.method.listQueues, page, options);
      return queues.map(({ queue }) => queue);
    }
    case "limit": {
      const { limits } = await client.call(LimitService.method.listLimits, page, options);
      return limits.map(({ name }) => name);
    }
    case "template": {
      const { templates } = await client.call(TemplateService.method.listTemplates, page, options);
      return templates.map(({ templateId }) => templateId);
    }
  }
}

/**
 * A filter for texts with the prefix, empty for all. Names are ASCII, so the prefix with the last code point appended
 * comes after all of them.
 */
function filterPrefix(field: string, prefix: string): string {
  if (prefix === "") return "";
  return `${field} >= ${JSON.stringify(prefix)} && ${field} < ${JSON.stringify(`${prefix}\u{10ffff}`)}`;
}

async function listOpenApprovals(client: ApiClient, filter: string, options: ClientCallOptions) {
  const open = 'state == "PENDING"';
  const request = {
    filter: filter === "" ? open : `${filter} && ${open}`,
    orderBy: "create_time desc",
    pageSize: PAGE_SIZE,
  };
  return (await client.call(ApprovalService.method.listApprovals, request, options)).approvals;
}
