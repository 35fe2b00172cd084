/** WorkerService: tasks for workers, and what they report. */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { AlreadyReported } from "../../engine/ports/dispatch/hand-overs.ts";
import type { WorkerMessage, WorkerReport, Workers } from "../../engine/ports/dispatch/workers.ts";
import {
  type TaskReport,
  TaskReportOutcome,
  type TaskReportResult,
  TaskReportResultSchema,
} from "../../gen/orchestrator/v1/worker_pb.ts";
import {
  type PollTasksResponse,
  PollTasksResponseSchema,
  RegisterWorkerResponseSchema,
  ReportTasksResponseSchema,
  WorkerService,
} from "../../gen/orchestrator/v1/worker_service_pb.ts";
import { DEFAULT_QUEUE } from "../../tasks/worker.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { TASK_STATE } from "../mapping/enums.ts";
import { fromPayload, type PayloadInput, type PayloadLimits, type StoredPayloads } from "../mapping/payload.ts";
import { toTaskError } from "../mapping/task.ts";
import { fromDuration, toDuration, toTimestamp } from "../mapping/time.ts";
import { toWorkerStop } from "../mapping/worker.ts";
import { withHeartbeats } from "../streams/heartbeat.ts";
import { type PayloadReader, readReferences } from "./stored-payloads.ts";
import { createWorkerLists, type WorkerListNeeds } from "./worker-lists.ts";

/** Largest number of reports in one call: the contract's. */
const MAX_REPORTS = 1_000;

interface Needs extends WorkerListNeeds {
  readonly workers: Workers;
  readonly runReader: PayloadReader;
  readonly limits: PayloadLimits;
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

function createHandlers({
  workers,
  runReader,
  limits,
  tokens,
  askPeers,
  draining,
  heartbeatMs,
  reports: counted,
}: Needs): ServiceHandlers<typeof WorkerService> {
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

    async *pollTasks({ sessionId }, call) {
      if (!workers.touch(call.caller, sessionId)) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
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

    async reportTasks({ sessionId, reports, closing }, { caller, forwarded }) {
      const isThere = workers.touch(caller, sessionId);
      if (!isThere && reports.length === 0) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
      /** The last report of each task: those of one task are taken in order. */
      const before = new Map<string, Promise<unknown>>();
      const results = reports.map((report) => {
        const { taskToken } = report;
        const earlier = before.get(taskToken);
        const take = async () => {
          const told = await toReport(report, (payloads) => readReferences(runReader, caller, payloads), limits);
          if (told.report === null) return toResult("refused", told.problem);
          const { standing, message, stands } = await workers.report(caller, sessionId, taskToken, told.report);
          return told.problem !== "" && standing === "accepted"
            ? toResult("refused", told.problem)
            : toResult(standing, message, stands);
        };
        const result = earlier === undefined ? take() : earlier.then(take);
        before.set(taskToken, result);
        return result;
      });
      const answered = await Promise.all(results);
      if (closing) workers.goodbye(caller, sessionId);
      if (!forwarded) for (const { outcome } of answered) counted?.answered(OUTCOME_NAME.get(outcome) ?? "UNSPECIFIED");
      return create(ReportTasksResponseSchema, { results: answered });
    },

    ...createWorkerLists({ workers, tokens, askPeers }),
  };
}

function toPollResponse(message: WorkerMessage): PollTasksResponse {
  if (message.type === "drain")
    return create(PollTasksResponseSchema, { event: { case: "drain", value: toWorkerStop(message.stop) } });
  if (message.type === "cancel") {
    const { token, reason } = message;
    return create(PollTasksResponseSchema, { event: { case: "cancellation", value: { taskToken: token, reason } } });
  }
  const { token, task } = message;
  return create(PollTasksResponseSchema, {
    event: {
      case: "task",
      value: {
        taskToken: token,
        handler: task.handler,
        queue: task.queue,
        runId: task.runId,
        taskId: task.path,
        flowId: task.flowId,
        attempt: task.attempt,
        idempotencyKey: task.idempotencyKey,
        fencingToken: task.fence,
        correlationId: task.correlationId,
        inputJson: task.inputJson,
        scheduleTime: toTimestamp(task.since),
        ...(task.timeoutMs === null ? {} : { timeout: toDuration(task.timeoutMs) }),
        ...(task.heartbeatMs === null ? {} : { heartbeatTimeout: toDuration(task.heartbeatMs) }),
      },
    },
  });
}

type ReadReferences = (payloads: readonly PayloadInput[]) => Promise<StoredPayloads>;

/**
 * A report as the engine takes it; null when it says nothing. A result that breaks a rule becomes a failure with that
 * problem: the task must not wait forever.
 */
async function toReport(
  { event }: TaskReport,
  read: ReadReferences,
  limits: PayloadLimits,
): Promise<{ readonly report: WorkerReport | null; readonly problem: string }> {
  switch (event.case) {
    case "acknowledged":
    case "alive":
    case "stopped":
      return { report: { type: event.case }, problem: "" };
    case "handedBack":
      return { report: { type: "handed_back", reason: event.value.reason }, problem: "" };
    case "failed": {
      const { type, message, nonRetryable, nextRetryDelay } = event.value;
      const nextRetryDelayMs = nextRetryDelay === undefined ? {} : { nextRetryDelayMs: fromDuration(nextRetryDelay) };
      const error = { type, message, retryable: !nonRetryable, ...nextRetryDelayMs };
      return { report: { type: "ended", outcome: { ok: false, error } }, problem: "" };
    }
    case "succeeded":
      try {
        const { outputValue } = event.value;
        const output = fromPayload(outputValue, "output", null, limits, await read([outputValue]));
        return { report: { type: "ended", outcome: { ok: true, output } }, problem: "" };
      } catch (error) {
        if (!isOrchestratorError(error)) throw error;
        const { message } = error;
        const failure = { type: "WORKER_RESULT_INVALID", message, retryable: false };
        return { report: { type: "ended", outcome: { ok: false, error: failure } }, problem: message };
      }
    default:
      return { report: null, problem: "the report says nothing that this version knows" };
  }
}

function toResult(standing: keyof typeof OUTCOME, message: string, stands?: AlreadyReported): TaskReportResult {
  return create(TaskReportResultSchema, {
    outcome: OUTCOME[standing],
    message,
    ...(stands === undefined ? {} : { taskState: TASK_STATE[stands.state], outputType: stands.outputType }),
    ...(stands === undefined || stands.error === null ? {} : { taskError: toTaskError(stands.error) }),
  });
}

const OUTCOME = {
  accepted: TaskReportOutcome.ACCEPTED,
  outdated: TaskReportOutcome.OUTDATED,
  unknown: TaskReportOutcome.UNKNOWN,
  unavailable: TaskReportOutcome.UNAVAILABLE,
  refused: TaskReportOutcome.REFUSED,
  cancel_requested: TaskReportOutcome.CANCEL_REQUESTED,
  already_reported: TaskReportOutcome.ALREADY_REPORTED,
} as const;

const OUTCOME_NAME = new Map<TaskReportOutcome, string>(
  Object.entries(TaskReportOutcome).map(([name, value]) => [value, name]),
);

/** WorkerService with its handlers. */
export const workerService = defineService(WorkerService, createHandlers);
