/** Answers of executors, as instances hand them to each other. */
import { create } from "@bufbuild/protobuf";
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type { AnsweredOutcome, AnswerFate } from "../../engine/ports/bus/commands.ts";
import type { AnsweredTask } from "../../engine/ports/dispatch/hand-overs.ts";
import {
  type MessageAnswer,
  MessageAnswerSchema,
  type TakenAnswer,
} from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
import { TaskErroredSchema } from "../../gen/orchestrator/v1/worker_pb.ts";
import { encodeJson } from "./payload.ts";
import { toDuration } from "./time.ts";
import { fromErrored } from "./workers/task-report.ts";

export function toSentAnswer(
  { runId, taskId, attempt, fence, begunAt, place }: AnsweredTask,
  outcome: AnsweredOutcome,
): MessageAnswer {
  return create(MessageAnswerSchema, {
    ...{ runId, taskId, begunAt },
    ...(place === null ? {} : { place: { ...place, offset: BigInt(place.offset) } }),
    ...(attempt === null ? {} : { attempt }),
    ...(fence === null ? {} : { fence }),
    ...(outcome === "started" || outcome.tookMs === undefined ? {} : { tookMs: outcome.tookMs }),
    outcome: toOutcome(outcome),
  });
}

function toOutcome(outcome: AnsweredOutcome): MessageAnswer["outcome"] {
  if (outcome === "started") return { case: "started", value: true };
  if (outcome.ok) return { case: "outputJson", value: encodeJson(outcome.output) };
  return { case: "failed", value: create(TaskErroredSchema, toErrored(outcome.error)) };
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
  return {
    task: { runId, taskId, attempt, fence, begunAt, place },
    outcome: answer.outcome.case === "started" ? "started" : { ...fromOutcome(answer.outcome), ...took },
  };
}

function fromOutcome(outcome: MessageAnswer["outcome"]): Exclude<AnsweredOutcome, "started"> {
  if (outcome.case === "failed") return { ok: false, error: fromErrored(outcome.value) };
  const json = outcome.case === "outputJson" ? new TextDecoder().decode(outcome.value) : "null";
  return { ok: true, output: parseStoredJson(json) };
}

type Failed = Extract<AnsweredOutcome, { readonly ok: false }>;

function toErrored({ type, message, retryable, nextRetryDelayMs }: Failed["error"]) {
  const delay = nextRetryDelayMs === undefined ? {} : { nextRetryDelay: toDuration(nextRetryDelayMs) };
  return { type, message, nonRetryable: !retryable, ...delay };
}
