/** WorkerService: tasks for workers, and what they report. */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import { homeOf, homeOfSession } from "../../base/session-ids.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { WorkerMessage } from "../../engine/ports/dispatch/workers.ts";
import { type TaskReport, TaskReportOutcome, type TaskReportResult } from "../../gen/orchestrator/v1/worker_pb.ts";
import {
  type FetchTasksRequest,
  type FetchTasksResponse,
  FetchTasksResponseSchema,
  type PollTasksRequest,
  type PollTasksResponse,
  PollTasksResponseSchema,
  RegisterWorkerResponseSchema,
  type ReportTasksRequest,
  type ReportTasksResponse,
  ReportTasksResponseSchema,
  WorkerService,
} from "../../gen/orchestrator/v1/worker_service_pb.ts";
import { DEFAULT_QUEUE } from "../../tasks/worker.ts";
import type { CallContext, ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { toDuration } from "../mapping/time.ts";
import { toWorkerStop } from "../mapping/worker.ts";
import { outcomeNameOf, toReportResult } from "../mapping/workers/task-report.ts";
import { toWorkerTask } from "../mapping/workers/worker-task.ts";
import { anywhere, type Sender, Unreached } from "../peers/forward-send.ts";
import { reportTasks } from "../peers/report-tasks.ts";
import { withHeartbeats } from "../streams/heartbeat.ts";
import { checkReport } from "./report-rules.ts";
import { fromWait } from "./runs/run-start.ts";
import { createTakeReports, type TakeReportsNeeds } from "./take-reports.ts";
import { createWorkerLists, type WorkerListNeeds } from "./worker-lists.ts";

/** Largest number of reports in one call: the contract's. */
const MAX_REPORTS = 1_000;

const POLL_TASKS = anywhere(WorkerService.method.pollTasks);
const FETCH_TASKS = anywhere(WorkerService.method.fetchTasks);
const REPORT_TASKS = anywhere(WorkerService.method.reportTasks);

interface Needs extends TakeReportsNeeds, Omit<WorkerListNeeds, "workers"> {
  readonly cluster: Cluster;
  readonly peers: { readonly sender: Sender };
  readonly draining: AbortSignal;
  readonly heartbeatMs: number;
  /** Counts the outcomes of reports; absent: nothing is counted. */
  readonly reports?: ReportMetrics;
}

/** Counts reports of workers where they arrive. */
export interface ReportMetrics {
  /** `outcome` is its name in the contract, without the prefix. */
  answered(outcome: string): void;
}

function createHandlers(needs: Needs): ServiceHandlers<typeof WorkerService> {
  const { workers, limits, cluster, peers, draining, heartbeatMs, reports: counted } = needs;
  const parts = { cluster, workers, sender: peers.sender, takeHere: createTakeReports(needs) };

  /** Address of the instance where the session is, another one: calls of a worker come through any instance. */
  const homeAddressOf = (sessionId: string, { forwarded }: CallContext): string | null => {
    const home = homeOfSession(sessionId);
    if (forwarded || home === "") return null;
    return cluster.view().others.find(({ id }) => homeOf(id) === home)?.address ?? null;
  };

  async function* pollAt(address: string, request: PollTasksRequest, call: CallContext) {
    const signal = AbortSignal.any([call.signal, draining]);
    try {
      yield* peers.sender.stream(address, POLL_TASKS, request, call, signal, () => call.opened());
    } catch (error) {
      if (draining.aborted) throw toError("SHUTTING_DOWN");
      if (error instanceof Unreached) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId: request.sessionId });
      throw error;
    }
  }

  const fetchAt = async (request: FetchTasksRequest, call: CallContext): Promise<FetchTasksResponse> => {
    const { sessionId } = request;
    const address = homeAddressOf(sessionId, call);
    if (address === null) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
    try {
      return await peers.sender.send(address, FETCH_TASKS, request, call, call.signal);
    } catch (error) {
      if (error instanceof Unreached) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
      throw error;
    }
  };

  const report = async (request: ReportTasksRequest, call: CallContext): Promise<ReportTasksResponse> => {
    const { sessionId, reports } = request;
    const isHere = workers.touch(call.caller, sessionId);
    const address = isHere ? null : homeAddressOf(sessionId, call);
    if (address !== null)
      try {
        // Time is left to take them here, if the home hangs.
        const endsAt = performance.now() + 0.75 * call.remainingMs();
        const sent = { caller: call.caller, requestId: call.requestId, remainingMs: () => endsAt - performance.now() };
        return await peers.sender.send(address, REPORT_TASKS, request, sent, call.signal);
      } catch (error) {
        // The session is gone with its home. What it says about tasks still counts.
        const isGone = error instanceof Unreached || (isOrchestratorError(error) && error.code === "PEER_LOST");
        if (!isGone) throw error;
      }
    if (!isHere && reports.length === 0) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
    const results = await takeGood(reports, (good) => reportTasks(parts, sessionId, good, call));
    if (request.closing) workers.goodbye(call.caller, sessionId);
    return create(ReportTasksResponseSchema, { results: [...results] });
  };

  return {
    async registerWorker({ name, sdk, queues, handlers, slots, labels, buildId }, { caller }) {
      const served = queues.length === 0 ? [DEFAULT_QUEUE] : [...new Set(queues)];
      const known = [...new Set(handlers)];
      const worker = { name, sdk, queues: served, handlers: known, slots: Math.max(1, slots), labels, buildId };
      const session = workers.register(caller, worker);
      return create(RegisterWorkerResponseSchema, {
        sessionId: session.sessionId,
        ackTimeout: toDuration(session.ackTimeoutMs),
        sessionTimeout: toDuration(session.sessionTimeoutMs),
        maxReports: MAX_REPORTS,
        maxOutputBytes: BigInt(limits.maxPayloadBytes),
      });
    },

    async *pollTasks(request, call) {
      const { sessionId } = request;
      if (!workers.touch(call.caller, sessionId)) {
        const address = homeAddressOf(sessionId, call);
        if (address === null) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
        yield* pollAt(address, request, call);
        return;
      }
      call.opened();
      yield* withHeartbeats<WorkerMessage, PollTasksResponse>(
        {
          open: (signal) => workers.poll(call.caller, sessionId, signal),
          signal: call.signal,
          draining,
          drained: () => toError("SHUTTING_DOWN"),
          toMessage: toPollResponse,
          heartbeat: () => create(PollTasksResponseSchema, { event: { case: "heartbeat", value: {} } }),
        },
        heartbeatMs,
      );
    },

    async fetchTasks(request, call) {
      const { sessionId } = request;
      if (!workers.touch(call.caller, sessionId)) return fetchAt(request, call);
      const waitMs = fromWait(request.wait, call.remainingMs());
      const messages = await workers.fetch(call.caller, sessionId, waitMs, call.signal, draining);
      return toFetchResponse(messages);
    },

    async reportTasks(request, call) {
      const response = await report(request, call);
      if (!call.forwarded) for (const result of response.results) counted?.answered(outcomeNameOf(result));
      return response;
    },

    ...createWorkerLists(needs),
  };
}

/** Results of all reports; `take` takes those that break no rule. */
async function takeGood(
  reports: readonly TaskReport[],
  take: (good: readonly TaskReport[]) => Promise<readonly TaskReportResult[]>,
): Promise<readonly TaskReportResult[]> {
  const checked = reports.map(checkReport);
  const taken = [...(await take(checked.flatMap(({ report }) => report ?? [])))];
  return checked.map(({ report, problem }) => {
    const result = report === null ? undefined : taken.shift();
    const isRefused = result === undefined || (problem !== "" && result.outcome === TaskReportOutcome.ACCEPTED);
    return isRefused ? toReportResult({ standing: "refused", message: problem }) : result;
  });
}

function toPollResponse(message: WorkerMessage): PollTasksResponse {
  if (message.type === "drain")
    return create(PollTasksResponseSchema, { event: { case: "drain", value: toWorkerStop(message.stop) } });
  if (message.type === "cancel") {
    const { token, reason } = message;
    return create(PollTasksResponseSchema, { event: { case: "cancellation", value: { taskToken: token, reason } } });
  }
  return create(PollTasksResponseSchema, {
    event: { case: "task", value: toWorkerTask(message.token, message.task) },
  });
}

/** What came, by kind. */
function toFetchResponse(messages: readonly WorkerMessage[]): FetchTasksResponse {
  const response = create(FetchTasksResponseSchema);
  for (const message of messages) {
    const { event } = toPollResponse(message);
    if (event.case === "task") response.tasks.push(event.value);
    else if (event.case === "cancellation") response.cancellations.push(event.value);
    else if (event.case === "drain") response.drain = event.value;
  }
  return response;
}

/** WorkerService with its handlers. */
export const workerService = defineService(WorkerService, createHandlers);
