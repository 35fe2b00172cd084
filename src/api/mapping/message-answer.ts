/** Answers of executors, as instances hand them to each other. */
import { create } from "@bufbuild/protobuf";
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type { AnsweredOutcome, AnswerFate } from "../../engine/ports/bus/commands.ts";
import type { AnsweredTask, HandOvers } from "../../engine/ports/dispatch/hand-overs.ts";
import type { TaskProgress } from "../../engine/ports/run-watch.ts";
import {
  type MessageAnswer,
  MessageAnswerSchema,
  type TakenAnswer,
} from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { TaskErroredSchema, TaskProgressedSchema } from "../../gen/orchestrator/v1/worker_pb.ts";
import { encodeJson } from "./payload.ts";
import { toDuration } from "./time.ts";
import { fromErrored, toProgressNote } from "./workers/task-report.ts";

type Outcome = Parameters<HandOvers["reported"]>[1];

export function toSentAnswer(
  { runId, taskId, attempt, fence, begunAt, place }: AnsweredTask,
  outcome: AnsweredOutcome,
): MessageAnswer {
  return create(MessageAnswerSchema, {
    ...{ runId, taskId: taskId ?? "", begunAt },
    ...(place === null ? {} : { place: { ...place, offset: BigInt(place.offset) } }),
    ...(attempt === null ? {} : { attempt }),
    ...(fence === null ? {} : { fence }),
    ...(outcome === "started" || !("tookMs" in outcome) || outcome.tookMs === undefined
      ? {}
      : { tookMs: outcome.tookMs }),
    outcome: toOutcome(outcome),
  });
}

function toOutcome(outcome: AnsweredOutcome): MessageAnswer["outcome"] {
  if (outcome === "started") return { case: "started", value: true };
  if ("note" in outcome) return { case: "progress", value: create(TaskProgressedSchema, toProgressed(outcome.note)) };
  if (outcome.ok) return { case: "outputJson", value: encodeJson(outcome.output) };
  return { case: "failed", value: create(TaskErroredSchema, toErrored(outcome.error)) };
}

function toProgressed({ fraction, current, total, message }: TaskProgress) {
  const known = Object.entries({ fraction, current, total }).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(known), message };
}

/** What became of an answer at the owner of its run. */
export function fromTaken({ known, ignored }: Pick<TakenAnswer, "known" | "ignored">): AnswerFate {
  if (!known) return "unknown";
  return ignored === "" ? "taken" : (ignored as AnswerFate);
}

export function toTakenAnswer(fate: AnswerFate): Pick<TakenAnswer, "known" | "ignored"> {
  return { known: fate !== "unknown", ignored: fate === "taken" || fate === "unknown" ? "" : fate };
}

export function fromSentAnswer(answer: MessageAnswer): {
  readonly task: AnsweredTask;
  readonly outcome: AnsweredOutcome;
} {
  const { runId, taskId, attempt = null, fence = null, begunAt, tookMs } = answer;
  const place = answer.place === undefined ? null : { ...answer.place, offset: Number(answer.place.offset) };
  const took = tookMs === undefined ? {} : { tookMs };
  const task = { runId, taskId: taskId === "" ? null : taskId, attempt, fence, begunAt, place };
  const { outcome } = answer;
  if (outcome.case === "started") return { task, outcome: "started" };
  if (outcome.case === "progress") return { task, outcome: { note: toProgressNote(outcome.value) } };
  return { task, outcome: { ...fromOutcome(outcome), ...took } };
}

function fromOutcome(outcome: MessageAnswer["outcome"]): Outcome {
  if (outcome.case === "failed") return { ok: false, error: fromErrored(outcome.value) };
  const json = outcome.case === "outputJson" ? new TextDecoder().decode(outcome.value) : "null";
  return { ok: true, output: parseStoredJson(json) };
}

type Failed = Extract<Outcome, { readonly ok: false }>;

function toErrored({ type, message, retryable, nextRetryDelayMs, details }: Failed["error"]) {
  const delay = nextRetryDelayMs === undefined ? {} : { nextRetryDelay: toDuration(nextRetryDelayMs) };
  const said =
    details === undefined ? {} : { detailsValue: { case: "detailsJson", value: encodeJson(details) } as const };
  return { type, message, nonRetryable: !retryable, ...delay, ...said };
}
