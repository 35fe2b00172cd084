/** Answers of executors, as instances hand them to each other. */
import { create } from "@bufbuild/protobuf";
import { parseStoredJson } from "../../base/json/json-stored.ts";
import type { AnsweredOutcome } from "../../engine/ports/bus/commands.ts";
import type { AnsweredTask } from "../../engine/ports/dispatch/hand-overs.ts";
import { type MessageAnswer, MessageAnswerSchema } from "../../gen/orchestrator/peer/v1/peer_service_pb.ts";
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
    ...(outcome.tookMs === undefined ? {} : { tookMs: outcome.tookMs }),
    outcome: outcome.ok
      ? { case: "outputJson", value: encodeJson(outcome.output) }
      : { case: "failed", value: toErrored(outcome.error) },
  });
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
    outcome: { ...fromOutcome(answer.outcome), ...took },
  };
}

function fromOutcome(outcome: MessageAnswer["outcome"]): AnsweredOutcome {
  if (outcome.case === "failed") return { ok: false, error: fromErrored(outcome.value) };
  const json = outcome.case === "outputJson" ? new TextDecoder().decode(outcome.value) : "null";
  return { ok: true, output: parseStoredJson(json) };
}

function toErrored({ type, message, retryable, nextRetryDelayMs }: Extract<AnsweredOutcome, { ok: false }>["error"]) {
  const delay = nextRetryDelayMs === undefined ? {} : { nextRetryDelay: toDuration(nextRetryDelayMs) };
  return { type, message, nonRetryable: !retryable, ...delay };
}
