/** RoutingService: single calls of services. A routed task is a run of a built-in flow. */
import { create } from "@bufbuild/protobuf";
import { fail, isOrchestratorError } from "../../../base/errors.ts";
import { refuseField } from "../../../base/field-error.ts";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { MAX_CONTEXT_BYTES } from "../../../base/json/json-limits.ts";
import { parseJson } from "../../../base/json/json-parse.ts";
import type { RunState } from "../../../engine/machine/state.ts";
import type { RoutedTasks, RoutingStats } from "../../../engine/ports/routing/routed-tasks.ts";
import type { ServiceCatalogue } from "../../../engine/ports/routing/services.ts";
import type { RunControl, StartRequest, StartResult } from "../../../engine/ports/run-control.ts";
import type { RunReader } from "../../../engine/ports/run-reader.ts";
import { isRoutedTask } from "../../../engine/runs/routed/routed-task.ts";
import { createRouteFlows, type RouteRules } from "../../../flows/builtin/route.ts";
import type { BuiltInFlows } from "../../../flows/ports/built-in.ts";
import { RoutedTaskSchema } from "../../../gen/orchestrator/v1/routed_task_pb.ts";
import {
  GetRoutedTaskResponseSchema,
  GetRoutingStatsResponseSchema,
  ListRoutedTasksResponseSchema,
  type RouteTaskRequest,
  RouteTaskResponseSchema,
  RoutingService,
} from "../../../gen/orchestrator/v1/routing_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../../calls/call.ts";
import { originOf } from "../../calls/hops.ts";
import { hashBody } from "../../calls/request-key.ts";
import { defineService } from "../../calls/services.ts";
import { cutPage, pageSizeOf } from "../../lists/paging.ts";
import { type Place, type Tokens, toPlace } from "../../lists/tokens.ts";
import { fromPayload, type PayloadLimits } from "../../mapping/payload.ts";
import { parseReadMask } from "../../mapping/read-mask.ts";
import { fromRoutedTaskState, toListedTask, toRoutedTask } from "../../mapping/routing/routed-task.ts";
import { toDuration, toTimestamp } from "../../mapping/time.ts";
import { fromWait } from "../runs/run-start.ts";
import { readReferences } from "../stored-payloads.ts";

interface Needs {
  readonly runControl: RunControl;
  readonly runReader: RunReader;
  readonly builtIns: BuiltInFlows;
  readonly services: ServiceCatalogue;
  readonly routedTasks: RoutedTasks;
  readonly routingStats: RoutingStats;
  readonly routeRules: RouteRules;
  readonly tokens: Tokens;
  readonly limits: PayloadLimits;
}

/** Names of services in one message. */
const MOST_NAMED = 20;

function createHandlers(needs: Needs): ServiceHandlers<typeof RoutingService> {
  const { runControl, runReader, builtIns, services, routedTasks, routingStats, tokens, limits } = needs;
  const flows = createRouteFlows(needs.routeRules);

  const start = async (request: RouteTaskRequest, call: CallContext, waitMs: number): Promise<StartResult> => {
    const origin = originOf(call);
    await services.begin();
    const { service, path = "/" } = request;
    const targetUrl = targetOf(services, call.caller.tenantId, service, path === "" ? "/" : path);
    const stored = await readReferences(runReader, call.caller, [request.payloadValue]);
    const payload = fromPayload(request.payloadValue, "payload", null, limits, stored);
    const method = request.method === "" ? (payload === null ? "GET" : "POST") : request.method;
    if (payload !== null && (method === "GET" || method === "HEAD"))
      refuseField("payload", `${method} carries no body`);
    const wanted = { service, method, path: path === "" ? "/" : path };
    const context = readContext(request.contextJson);
    const document = payload === null ? flows.withoutBody : flows.withBody;
    const flow = await builtIns.use(call.caller.tenantId, document);
    const order: StartRequest = {
      ...flow,
      input: { ...wanted, target_url: targetUrl, ...(payload === null ? {} : { payload }) },
      ...origin,
      ...{ runId: request.taskId, drawsUuid: true, builtIn: true, requestId: request.requestId },
      requestHash: request.requestId === "" ? "" : hashBody({ RouteTask: wanted, payload, context }),
      ...{ fromMessage: false, refusal: null, runKey: "", runKeyPolicy: "reject", labels: {}, userId: "" },
      ...{ correlationId: "", context, runTimeoutMs: null, startDelayMs: 0, signals: [] },
    };
    try {
      return await runControl.startRun(call.caller, order, waitMs, waitMs > 0 ? call.signal : undefined);
    } catch (error) {
      // Somebody has deleted the version. The next call registers it again.
      if (isOrchestratorError(error) && error.code === "FLOW_NOT_FOUND")
        builtIns.forget(call.caller.tenantId, document);
      throw error;
    }
  };

  const read = async (taskId: string, call: CallContext, waitMs: number): Promise<RunState> => {
    try {
      const { state } =
        waitMs > 0
          ? await runReader.waitRun(call.caller, taskId, waitMs, call.signal)
          : await runReader.getRun(call.caller, taskId);
      if (isRoutedTask(state)) return state;
    } catch (error) {
      if (!isOrchestratorError(error) || error.grpc !== "NOT_FOUND") throw error;
    }
    return fail("ROUTED_TASK_NOT_FOUND", { taskId });
  };

  return {
    async routeTask(request, call) {
      const mask = parseReadMask(RoutedTaskSchema, request.readMask);
      const waitMs = fromWait(request.wait, call.remainingMs());
      const { run } = await start(request, call, waitMs);
      if (waitMs > 0) await call.turn();
      return create(RouteTaskResponseSchema, { task: toRoutedTask(run.state, Date.now(), mask, limits) });
    },

    async getRoutedTask(request, call) {
      const mask = parseReadMask(RoutedTaskSchema, request.readMask);
      const waitMs = fromWait(request.wait, call.remainingMs());
      const state = await read(request.taskId, call, waitMs);
      if (waitMs > 0) await call.turn();
      return create(GetRoutedTaskResponseSchema, { task: toRoutedTask(state, Date.now(), mask, limits) });
    },

    async listRoutedTasks(request, { caller }) {
      const filter = { state: fromRoutedTaskState(request.state), service: request.service };
      const query = ["ListRoutedTasks", JSON.stringify(filter)];
      const size = pageSizeOf(request.pageSize);
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const after = place === null ? null : { createdAt: Number(place[0]), taskId: String(place[1]) };
      const [views, totalCount] = await Promise.all([
        routedTasks.list(caller, filter, after, size + 1),
        routedTasks.count(caller, filter),
      ]);
      const { lines, next } = cutPage(views, size, ({ createdAt, taskId }): Place => [toPlace(createdAt), taskId]);
      return create(ListRoutedTasksResponseSchema, {
        tasks: lines.map((view) => toListedTask(view, Date.now())),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, next),
        totalCount,
      });
    },

    async getRoutingStats() {
      const { success, error, timeout, retries, averageMs, p95Ms, p99Ms, since, ...more } = routingStats.read();
      const length = (ms: number | null) => (ms === null ? {} : toDuration(ms));
      return create(GetRoutingStatsResponseSchema, {
        ...{ endedCount: success + error + timeout, successCount: success, errorCount: error, timeoutCount: timeout },
        ...{ retryCount: retries, retriedSuccessCount: more.retriedSuccess, retriedFailureCount: more.retriedFailure },
        ...(averageMs === null ? {} : { averageDuration: length(averageMs) }),
        ...(p95Ms === null ? {} : { p95Duration: length(p95Ms) }),
        ...(p99Ms === null ? {} : { p99Duration: length(p99Ms) }),
        sinceTime: toTimestamp(since),
      });
    },
  };
}

/** Errors: SERVICE_UNKNOWN, REGISTRY_UNAVAILABLE, INVALID_REQUEST. */
function targetOf(services: ServiceCatalogue, tenantId: string, service: string, path: string): string {
  const target = services.resolve(tenantId, service, path);
  switch (target.kind) {
    case "known":
      return target.url;
    case "refused":
      return refuseField("path", target.problem);
    case "unavailable":
      return fail("REGISTRY_UNAVAILABLE", {
        service,
        problem: `the registry at ${target.url} cannot be read (${target.problem})`,
      });
    case "unknown": {
      const { names } = target;
      const some = names.slice(0, MOST_NAMED).join(", ");
      const hint =
        names.length === 0 ? "; none is known" : `; there are: ${some}${names.length > MOST_NAMED ? " …" : ""}`;
      return fail("SERVICE_UNKNOWN", { service, hint });
    }
  }
}

function readContext(bytes: Uint8Array): JsonObject | null {
  if (bytes.length === 0) return null;
  const context: Json = parseJson(bytes, { field: "context_json", maxBytes: MAX_CONTEXT_BYTES });
  if (typeof context === "object" && context !== null && !Array.isArray(context)) return context as JsonObject;
  return refuseField("context_json", "must contain a JSON object");
}

export const routingService = defineService(RoutingService, createHandlers);
