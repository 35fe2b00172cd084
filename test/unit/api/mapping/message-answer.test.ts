/** Answers of executors and agents on their way to the owner of a run say there what they said here. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { fromSentAnswer, toSentAnswer } from "../../../../src/api/mapping/message-answer.ts";
import { MessageAnswerSchema } from "../../../../src/gen/orchestrator/peer/v1/peer_service_pb.ts";

const task = { runId: "r", taskId: "t", attempt: 2, fence: 7, begunAt: 5, place: { log: "l/0", epoch: 1, offset: 9 } };

test.each([
  ["a start", "started"],
  ["an output", { ok: true, output: { a: [1] }, tookMs: 4 }],
  ["an error", { ok: false, error: { type: "NO", message: "no", retryable: true } }],
  [
    "an error with all that it may have",
    {
      ok: false,
      error: {
        type: "NO",
        message: "no",
        retryable: false,
        nextRetryDelayMs: 1_500,
        details: { a: "9007199254740993" },
      },
      tookMs: 4,
    },
  ],
] as const)("%s", (_name, outcome) => {
  const sent = toBinary(MessageAnswerSchema, toSentAnswer(task, outcome));
  expect(fromSentAnswer(fromBinary(MessageAnswerSchema, sent))).toMatchObject({
    task,
    outcome,
  });
});
