/** What workers say, and the answer. */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError } from "../../../base/errors.ts";
import { parseJson } from "../../../base/json/json-parse.ts";
import type { ReportKind, ReportResult, WorkerReport } from "../../../engine/ports/dispatch/workers.ts";
import type { TaskNote, TaskProgress } from "../../../engine/ports/run-watch.ts";
import {
  type TaskErrored,
  type TaskProgressed,
  type TaskReport,
  TaskReportOutcome,
  type TaskReportResult,
  TaskReportResultSchema,
} from "../../../gen/orchestrator/v1/worker_pb.ts";
import { LEVEL_NAME, TASK_STATE } from "../enums.ts";
import { fromPayload, type PayloadInput, type PayloadLimits, type StoredPayloads } from "../payload.ts";
import { toTaskError } from "../task.ts";
import { fromDuration } from "../time.ts";
import { fromDetails } from "./error-details.ts";

type ReadReferences = (payloads: readonly PayloadInput[]) => Promise<StoredPayloads>;

/** A report as the engine takes it; null when it says nothing. */
interface Told {
  readonly report: WorkerReport | null;
  /** Why it is refused; empty when it is not. */
  readonly problem: string;
}

/**
 * A report as the engine takes it. A result that breaks a rule becomes a failure with that problem: the task must not
 * wait forever.
 */
export async function fromTaskReport(
  { event }: TaskReport,
  read: ReadReferences,
  limits: PayloadLimits,
): Promise<Told> {
  switch (event.case) {
    case "acknowledged":
    case "alive":
    case "stopped":
    case "detached":
      return { report: { type: event.case }, problem: "" };
    case "progress":
    case "log":
      return { report: { type: "noted", note: toNote(event) }, problem: "" };
    case "checkpoint":
      try {
        return { report: { type: "checkpoint", text: toCheckpoint(event.value.checkpointJson) }, problem: "" };
      } catch (error) {
        if (!isOrchestratorError(error)) throw error;
        return { report: null, problem: error.message };
      }
    case "handedBack":
      return { report: { type: "handed_back", reason: event.value.reason }, problem: "" };
    case "failed":
      return { report: { type: "ended", outcome: { ok: false, error: fromErrored(event.value) } }, problem: "" };
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

/** The text of a checkpoint, which goes back as it came. Error: INVALID_JSON. */
function toCheckpoint(json: Uint8Array): string {
  parseJson(json, { field: "checkpoint_json", largeIntegers: "number" });
  return Buffer.from(json).toString();
}

function toNote(event: Extract<TaskReport["event"], { case: "progress" | "log" }>): TaskNote {
  if (event.case === "log") {
    const { level, text } = event.value;
    return { type: "log", level: LEVEL_NAME.get(level) ?? "INFO", text };
  }
  return toProgressNote(event.value);
}

/** Progress, as an instance or a worker tells it. */
export function toProgressNote(progress: TaskProgressed): TaskProgress {
  const { fraction = null, current = null, total = null, message } = progress;
  return { type: "progress", fraction, current, total, message };
}

/** What a report is about: `ended` if its slot is free. One that says nothing counts as a sign of life. */
export function kindOf({ event }: TaskReport): ReportKind {
  switch (event.case) {
    case "acknowledged":
    case "alive":
    case "stopped":
      return event.case;
    case "handedBack":
      return "handed_back";
    case "failed":
    case "succeeded":
    case "detached":
      return "ended";
    default:
      return "alive";
  }
}

/** The error of a handler. */
export function fromErrored({ type, message, nonRetryable, nextRetryDelay, detailsValue }: TaskErrored) {
  const nextRetryDelayMs = nextRetryDelay === undefined ? {} : { nextRetryDelayMs: fromDuration(nextRetryDelay) };
  return { type, message, retryable: !nonRetryable, ...nextRetryDelayMs, ...fromDetails(detailsValue) };
}

/** The answer to a report. */
export function toReportResult({ standing, message, stands }: ReportResult): TaskReportResult {
  return create(TaskReportResultSchema, {
    outcome: OUTCOME[standing],
    message,
    ...(stands === undefined ? {} : { taskState: TASK_STATE[stands.state], outputType: stands.outputType }),
    ...(stands === undefined || stands.error === null ? {} : { taskError: toTaskError(stands.error) }),
  });
}

/** Name of the outcome in the contract, without its prefix. */
export function outcomeNameOf({ outcome }: TaskReportResult): string {
  return OUTCOME_NAME.get(outcome) ?? "UNSPECIFIED";
}

/** Whether nobody waits for the task any more. */
export function isOver({ outcome }: TaskReportResult): boolean {
  return (
    outcome === TaskReportOutcome.OUTDATED ||
    outcome === TaskReportOutcome.UNKNOWN ||
    outcome === TaskReportOutcome.ALREADY_REPORTED
  );
}

const OUTCOME = {
  accepted: TaskReportOutcome.ACCEPTED,
  outdated: TaskReportOutcome.OUTDATED,
  unknown: TaskReportOutcome.UNKNOWN,
  unavailable: TaskReportOutcome.UNAVAILABLE,
  refused: TaskReportOutcome.REFUSED,
  cancel_requested: TaskReportOutcome.CANCEL_REQUESTED,
  already_reported: TaskReportOutcome.ALREADY_REPORTED,
} as const satisfies Record<ReportResult["standing"], TaskReportOutcome>;

const OUTCOME_NAME = new Map<TaskReportOutcome, string>(
  Object.entries(TaskReportOutcome).map(([name, value]) => [value, name]),
);
