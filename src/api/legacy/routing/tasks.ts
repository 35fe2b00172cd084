/** Tasks: submission, the list, and one of them. */
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { fail } from "../../../base/errors.ts";
import { refuseField } from "../../../base/field-error.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { PayloadService } from "../../../gen/orchestrator/v1/payload_service_pb.ts";
import { type RoutedTask, RoutedTaskState } from "../../../gen/orchestrator/v1/routed_task_pb.ts";
import { RoutingService } from "../../../gen/orchestrator/v1/routing_service_pb.ts";
import type { ApiClient } from "../../client/client.ts";
import { type Answer, answer, type Exchange, readText, textOf } from "../exchange.ts";
import { listDroplets } from "./droplets.ts";
import { answerError } from "./errors.ts";
import { errorOfTask, fromStatus, isCode, METHODS, statusOf, TASK_STATUSES } from "./words.ts";

/** Lines of a list. */
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
/** Lines of a page of the contract. */
const PAGE = 500;
/** How long one call waits for a task, seconds. */
const WAIT_S = 25;
/** A wait that ends this early has been ended by a drain, milliseconds. */
const EARLY_MS = 20_000;

const WITH_BODY = [
  ...["task_id", "service", "method", "path", "state", "target_url", "response_status", "response_json"],
  ...["retry_count", "duration", "error", "context_json", "create_time", "end_time"],
];

/** Names of the body of a task. */
const KNOWN = ["droplet_name", "method", "path", "payload", "meta"];

/**
 * `POST /orchestrator/tasks`: waits for as long as the task needs. A caller that leaves stops nothing: the task is
 * durable.
 */
export async function submitTask(exchange: Exchange): Promise<Answer> {
  const { client, idempotencyKey, body } = exchange;
  const order = readOrder((await body()) ?? refuseField("", "the body must be a JSON object"));
  let task: RoutedTask | undefined;
  let askedAt = performance.now();
  try {
    const request = {
      ...order.request,
      ...{ requestId: idempotencyKey, wait: { seconds: BigInt(WAIT_S) }, readMask: { paths: WITH_BODY } },
    };
    ({ task } = await client.call(RoutingService.method.routeTask, request, { timeoutMs: 2_000 * WAIT_S }));
  } catch (error) {
    if (!isCode(error, "SERVICE_UNKNOWN")) throw error;
    return dropletNotFound(client, order.request.service);
  }
  while (task?.state === RoutedTaskState.PENDING) {
    if (performance.now() - askedAt < EARLY_MS) fail("SHUTTING_DOWN");
    askedAt = performance.now();
    task = await readTask(client, task.taskId, WAIT_S);
  }
  if (task === undefined) throw new Error("a routed task is answered with the task");
  return toOutcome(client, task);
}

/** `GET /orchestrator/tasks/{task_id}`: the full record. */
export async function getTask({ client, params: [taskId = ""] }: Exchange): Promise<Answer> {
  const task = await readTask(client, taskId, 0);
  return answer(200, {
    ...toRecord(task),
    response_body: await bodyOf(client, task),
    error: task.error === undefined ? null : toError(task),
    meta: task.contextJson.length === 0 ? null : ((parse(task.contextJson) as JsonObject)["meta"] ?? null),
  });
}

/** Names of the query of a list. */
export const LIST_NAMES = ["status", "droplet_name", "limit"];

/** `GET /orchestrator/tasks?status=&droplet_name=&limit=`, newest first. */
export async function listTasks({ client, query }: Exchange): Promise<Answer> {
  const status = textOf(query, "status");
  const state = status === "" ? RoutedTaskState.UNSPECIFIED : fromStatus(status);
  if (state === undefined) return refuseField("status", `expected one of ${TASK_STATUSES.join(", ")}`);
  const limit = limitOf(query);
  const service = textOf(query, "droplet_name");
  const tasks: RoutedTask[] = [];
  let total = 0;
  let pageToken = "";
  do {
    const pageSize = Math.min(PAGE, limit - tasks.length);
    const page = await client.call(RoutingService.method.listRoutedTasks, { state, service, pageSize, pageToken });
    tasks.push(...page.tasks);
    total = page.totalCount;
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && tasks.length < limit);
  return answer(200, { tasks: tasks.map(toRecord), total, limit });
}

interface Order {
  readonly request: {
    readonly service: string;
    readonly method: string;
    readonly path: string;
    readonly payloadValue?: { readonly case: "payloadJson"; readonly value: Uint8Array };
    readonly contextJson: Uint8Array;
  };
}

/** Checks the body. Null counts as absent. */
function readOrder(body: JsonObject): Order {
  const unknown = Object.keys(body).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) refuseField(unknown.slice(0, 100), `there is no such field; known: ${KNOWN.join(", ")}`);
  const service = readText(body["droplet_name"], "droplet_name");
  if (service === "") refuseField("droplet_name", "is missing; name a droplet");
  const method = readText(body["method"], "method").toUpperCase();
  if (method !== "" && !METHODS.some((known) => known === method))
    refuseField("method", `expected one of ${METHODS.join(", ")}`);
  const { payload = null, meta = null } = body;
  if (meta !== null && (typeof meta !== "object" || Array.isArray(meta))) refuseField("meta", "expected an object");
  return {
    request: {
      ...{ service, method, path: readText(body["path"], "path") },
      ...(payload === null ? {} : { payloadValue: { case: "payloadJson" as const, value: encode(payload) } }),
      contextJson: meta === null ? new Uint8Array() : encode({ meta }),
    },
  };
}

function limitOf(query: URLSearchParams): number {
  const text = textOf(query, "limit");
  if (text === "") return DEFAULT_LIMIT;
  const limit = Number(text);
  if (!/^\d{1,9}$/.test(text) || limit < 1 || limit > MAX_LIMIT)
    return refuseField("limit", `expected a number from 1 to ${MAX_LIMIT}`);
  return limit;
}

async function readTask(client: ApiClient, taskId: string, seconds: number): Promise<RoutedTask> {
  const wait = seconds === 0 ? {} : { wait: { seconds: BigInt(seconds) } };
  const { task } = await client.call(
    RoutingService.method.getRoutedTask,
    { taskId, ...wait, readMask: { paths: WITH_BODY } },
    { timeoutMs: 30_000 + 1_000 * seconds },
  );
  if (task === undefined) throw new Error("a read answers with the task");
  return task;
}

/** What a submission answers: the answer of the droplet, whatever its status, or why there is none. */
async function toOutcome(client: ApiClient, task: RoutedTask): Promise<Answer> {
  if (task.error === undefined && task.responseStatus !== 0)
    return answer(200, {
      task_id: task.taskId,
      status: statusOf(task.state),
      target_url: task.targetUrl,
      response_status: task.responseStatus,
      response_body: await bodyOf(client, task),
      retry_count: task.retryCount,
      duration_ms: durationOf(task),
    });
  const { code, message, details } = toError(task);
  return answerError(code, message, details);
}

function toError(task: RoutedTask) {
  const code = errorOfTask(task);
  const lastError = task.error === undefined ? null : `${task.error.type}: ${task.error.message}`;
  const message =
    code === "TIMEOUT"
      ? `Droplet '${task.service}' did not answer in time`
      : (task.error?.message ?? `The task ended before droplet '${task.service}' answered`);
  const details = {
    ...{ task_id: task.taskId, droplet_name: task.service, target_url: task.targetUrl },
    ...{ retry_count: task.retryCount, last_error: lastError, response_status: task.responseStatus || null },
  };
  return { code, message, details };
}

function toRecord(task: RoutedTask) {
  return {
    task_id: task.taskId,
    droplet_name: task.service,
    method: task.method,
    path: task.path,
    status: statusOf(task.state),
    target_url: task.targetUrl,
    response_status: task.responseStatus === 0 ? null : task.responseStatus,
    retry_count: task.retryCount,
    duration_ms: durationOf(task),
    created_at: task.createTime === undefined ? null : new Date(timestampMs(task.createTime)).toISOString(),
    completed_at: task.endTime === undefined ? null : new Date(timestampMs(task.endTime)).toISOString(),
  };
}

function durationOf({ duration }: RoutedTask): number {
  return duration === undefined ? 0 : Math.round(durationMs(duration));
}

/** The body of the answer; one that is too large for the message is read in pieces. */
async function bodyOf(client: ApiClient, { responseValue }: RoutedTask): Promise<Json> {
  switch (responseValue.case) {
    case "responseJson":
      return parse(responseValue.value);
    case "responseRef": {
      const chunks: Uint8Array[] = [];
      const { payloadId } = responseValue.value;
      for await (const { frame } of client.stream(PayloadService.method.readPayload, { payloadId }))
        if (frame.case === "chunk") chunks.push(frame.value);
      return (parse(Buffer.concat(chunks)) as JsonObject)["body"] ?? null;
    }
    default:
      return null;
  }
}

async function dropletNotFound(client: ApiClient, name: string): Promise<Answer> {
  const { services } = await listDroplets(client);
  return answerError("DROPLET_NOT_FOUND", `Droplet '${name}' not found in registry`, {
    requested_droplet: name,
    available_droplets: services.map((service) => service.name),
  });
}

function parse(bytes: Uint8Array): Json {
  return JSON.parse(Buffer.from(bytes).toString()) as Json;
}

function encode(value: Json): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
