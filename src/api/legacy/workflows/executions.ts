/** Executions: one, its status, the list, and cancellation. */
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { refuseField } from "../../../base/field-error.ts";
import { EXECUTION_LABELS, EXECUTION_SOURCE } from "../../../base/labels.ts";
import type { Run, RunSummary, RunTask } from "../../../gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { ApiClient } from "../../client/client.ts";
import { type Answer, answer, answerWith, type Exchange, textOf } from "../exchange.ts";
import { EXECUTION_STATUSES, type ExecutionStatus, progressOf, statesOf, statusOf, taskStatusOf } from "./words.ts";

/** Most tasks that a status names. Those of the flow come before children of other tasks. */
const MAX_TASKS = 2_000;
const PAGE = 500;
/** Most lines of a list. */
const MAX_LIMIT = 500;

const STATUS_FIELDS = [
  "run_id",
  "state",
  "correlation_id",
  "labels",
  "error",
  "output_json",
  "create_time",
  "start_time",
  "end_time",
  "task_counts",
];

/** `GET /api/v1/workflows/{id}/status` */
export async function getStatus({ client, params }: Exchange): Promise<Answer> {
  const run = await getRun(client, params, STATUS_FIELDS);
  return answerWith(200, await toStatus(client, run), "output", outputOf(run));
}

/** `GET /api/v1/workflows/{id}`: the status, with the variables and the flow that the execution runs. */
export async function getExecution({ client, params }: Exchange): Promise<Answer> {
  const run = await getRun(client, params, [...STATUS_FIELDS, "flow_id", "version", "user_id", "input_json"]);
  const execution = {
    ...(await toStatus(client, run)),
    flow: { id: run.flowId, version: run.version },
    user_id: run.userId,
    variables: run.inputValue.case === "inputJson" ? JSON.parse(Buffer.from(run.inputValue.value).toString()) : {},
  };
  return answerWith(200, execution, "output", outputOf(run));
}

/** Names of the query of a list. */
export const LIST_NAMES = ["status", "workflow_template", "correlation_id", "limit", "page_token"];

/** `GET /api/v1/workflows?status=&workflow_template=&correlation_id=&limit=&page_token=`, newest first. */
export async function listExecutions({ client, query }: Exchange): Promise<Answer> {
  const conditions = [hasLabel(EXECUTION_LABELS.source, EXECUTION_SOURCE)];
  const status = textOf(query, "status");
  if (status !== "") {
    if (!isStatus(status)) refuseField("status", `expected one of ${EXECUTION_STATUSES.join(", ")}`);
    conditions.push(`state in ${JSON.stringify(statesOf(status))}`);
  }
  const template = textOf(query, "workflow_template");
  if (template !== "") conditions.push(hasLabel(EXECUTION_LABELS.template, template));
  const correlationId = textOf(query, "correlation_id");
  if (correlationId !== "") conditions.push(`correlation_id == ${JSON.stringify(correlationId)}`);
  const { runs, nextPageToken } = await client.call(RunService.method.listRuns, {
    filter: conditions.join(" && "),
    pageSize: limitOf(query),
    pageToken: textOf(query, "page_token"),
  });
  return answer(200, { workflows: runs.map(toSummary), next_page_token: nextPageToken });
}

/** `POST /api/v1/workflows/{id}/cancel` with an optional `reason`, and `DELETE /api/v1/workflows/{id}` */
export async function cancelExecution({ client, params, idempotencyKey, body }: Exchange): Promise<Answer> {
  const { reason = "" } = (await body()) ?? {};
  if (typeof reason !== "string") return refuseField("reason", "expected text");
  const [runId = ""] = params;
  const { run } = await client.call(RunService.method.cancelRun, { runId, reason, requestId: idempotencyKey });
  if (run === undefined) throw new Error("a cancellation answers with the run");
  return answer(200, toSummary(run));
}

/** How many executions have not ended. */
export async function countOpen(client: ApiClient, phases: readonly string[]): Promise<number> {
  const filter = `phase in ${JSON.stringify(phases)} && ${hasLabel(EXECUTION_LABELS.source, EXECUTION_SOURCE)}`;
  const { count } = await client.call(RunService.method.countRuns, { filter });
  return Number(count);
}

/** The number of lines that a list asks for: `limit`, 0 for the default. */
export function limitOf(query: URLSearchParams): number {
  const text = textOf(query, "limit");
  const limit = Number(text);
  if (text !== "" && !(/^\d{1,9}$/.test(text) && limit >= 1 && limit <= MAX_LIMIT))
    refuseField("limit", `expected a number from 1 to ${MAX_LIMIT}`);
  return limit;
}

async function getRun(client: ApiClient, [runId = ""]: readonly string[], paths: readonly string[]): Promise<Run> {
  const { run } = await client.call(RunService.method.getRun, { runId, readMask: { paths: [...paths] } });
  if (run === undefined) throw new Error("a read answers with the run");
  return run;
}

async function toStatus(client: ApiClient, run: Run): Promise<object> {
  const tasks = await listTasks(client, run.runId);
  const { total = 0 } = run.taskCounts ?? {};
  return {
    ...toSummary(run),
    started_at: toTime(run.startTime),
    progress: progressOf(run.state, run.taskCounts),
    tasks: tasks.map(toTask),
    ...(total > tasks.length ? { tasks_omitted: total - tasks.length } : {}),
    error: run.error === undefined ? null : { code: run.error.type, message: run.error.message },
  };
}

function toSummary(run: Run | RunSummary) {
  return {
    execution_id: run.runId,
    correlation_id: run.correlationId || run.runId,
    status: statusOf(run.state),
    workflow_template: run.labels[EXECUTION_LABELS.template] ?? null,
    created_at: toTime(run.createTime),
    completed_at: toTime(run.endTime),
  };
}

function toTask({ taskId, name, taskType, state, attempt, error }: RunTask) {
  return {
    id: taskId,
    name: name || taskId,
    type: taskType,
    status: taskStatusOf(state),
    attempts: attempt,
    error: error === undefined ? null : { code: error.type, message: error.message },
  };
}

/** The tasks of the flow, then children of other tasks, up to {@link MAX_TASKS}. */
async function listTasks(client: ApiClient, runId: string): Promise<readonly RunTask[]> {
  const found: RunTask[] = [];
  for (const filter of ['parent_task_id == ""', 'parent_task_id != ""']) {
    let pageToken = "";
    do {
      const pageSize = Math.min(PAGE, MAX_TASKS - found.length);
      if (pageSize === 0) return found;
      const page = await client.call(RunService.method.listRunTasks, { runId, filter, pageSize, pageToken });
      found.push(...page.tasks);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
  return found;
}

/** The output as JSON text. */
function outputOf({ outputValue }: Run): string {
  return outputValue.case === "outputJson" ? Buffer.from(outputValue.value).toString() : "null";
}

function toTime(time: Timestamp | undefined): string | null {
  return time === undefined ? null : timestampDate(time).toISOString();
}

function isStatus(text: string): text is ExecutionStatus {
  return EXECUTION_STATUSES.some((status) => status === text);
}

function hasLabel(key: string, value: string): string {
  return `labels[${JSON.stringify(key)}] == ${JSON.stringify(value)}`;
}
