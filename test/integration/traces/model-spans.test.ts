/** Calls of the real service to models, as a collector gets them: by the conventions for generative AI, no texts. */
import { expect, test } from "vitest";
import { callSpanIdOf, traceIdOf } from "../../../src/base/traces/run-trace.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { MODEL_KEY, openModelBed } from "../../support/model-service.ts";
import type { ReceivedSpan } from "../../support/traces/otlp-messages.ts";
import { openTraceReceiver } from "../../support/traces/trace-receiver.ts";

/** Words that no span may have. */
const PROMPT = "a-word-of-the-prompt";
const ANSWER = "a-word-of-the-answer";
const REFUSAL = "a-word-of-the-refusal";

async function openBed() {
  const collector = await openTraceReceiver();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl, OTEL_BSP_SCHEDULE_DELAY: "50" };
  const bed = await openModelBed(env);
  const { port } = new URL(bed.models.url);
  /** Starts a run of one task. */
  const ask = async (flowId: string, parameters: string): Promise<string> => {
    await bed.register(flowId, `  tasks: [{id: q, type: ai, parameters: {prompt: ${PROMPT}, ${parameters}}}]`);
    return bed.start(flowId);
  };
  /** The spans of a run: its attempt, and the calls of it in their order. */
  const spansOf = async (runId: string, calls: number) => {
    const { run } = await bed.client.call(RunService.method.getRun, { runId });
    const { seconds = 0n, nanos = 0 } = run?.createTime ?? {};
    const traceId = traceIdOf({ runId, createdAt: Number(seconds) * 1_000 + nanos / 1e6 });
    const spans = await collector.trace(traceId, calls + 2);
    expect(spans).toHaveLength(calls + 2);
    const attempt = spans.find(({ name }) => name === "task q") as ReceivedSpan;
    const ids = Array.from({ length: calls }, (_, index) => callSpanIdOf(attempt.spanId, index + 1));
    return { attempt, calls: ids.map((id) => spans.find(({ spanId }) => spanId === id)) };
  };
  const hasNoText = (): void => {
    const text = JSON.stringify(collector.spans);
    for (const word of [PROMPT, ANSWER, REFUSAL, MODEL_KEY]) expect(text).not.toContain(word);
  };
  return { bed, port: Number(port), ask, spansOf, hasNoText };
}

test("a call to a model is a span below its attempt, with model, tokens, and provider, and with no text", async () => {
  const { bed, port, ask, spansOf, hasNoText } = await openBed();
  const runId = await ask("asks", "provider: claude, temperature: 0.5");
  (await bed.models.next()).say(ANSWER, { finishReason: "end_turn", usage: { input: 10, output: 7 } });
  await bed.reaches(runId, RunState.COMPLETED);
  const { attempt, calls } = await spansOf(runId, 1);
  expect(calls).toMatchObject([
    { name: "chat haiku", kind: "client", parentId: attempt.spanId, traceId: attempt.traceId, error: false },
  ]);
  expect(calls[0]?.attributes).toEqual({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "haiku",
    "gen_ai.request.max_tokens": 1_000,
    "gen_ai.request.temperature": 0.5,
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 7,
    "server.address": "127.0.0.1",
    "server.port": port,
    "orchestrator.run.id": runId,
    "orchestrator.task.path": "q",
    "orchestrator.task.attempt": 1,
  });
  hasNoText();
});

test("each call of an attempt is a span with its own tokens and error: a refused one, its fallback, a repair", async () => {
  const { bed, ask, spansOf, hasNoText } = await openBed();
  const json = "response_format: {type: json, schema: {type: object, required: [n]}}";
  const fallback = "fallback: [{provider: claude, model: haiku, on: [MODEL_OVERLOADED]}]";
  const runId = await ask("repairs", `${fallback}, ${json}`);
  (await bed.models.next()).refuse(503, { error: { message: REFUSAL } });
  (await bed.models.next()).say(`{"${ANSWER}": 1}`, { usage: { input: 10, output: 3 } });
  (await bed.models.next()).say('{"n": 1}', { usage: { input: 10, output: 4 } });
  await bed.reaches(runId, RunState.COMPLETED);
  const { attempt, calls } = await spansOf(runId, 3);
  expect(attempt.error).toBe(false);
  const shown = calls.map((call) => [
    ...[call?.name, call?.parentId === attempt.spanId, call?.error, call?.attributes["error.type"]],
    ...[call?.attributes["gen_ai.provider.name"], call?.attributes["gen_ai.usage.output_tokens"]],
  ]);
  expect(shown).toEqual([
    ["chat small", true, true, "MODEL_OVERLOADED", "openai", 0],
    ["chat haiku", true, false, undefined, "anthropic", 3],
    ["chat haiku", true, false, undefined, "anthropic", 4],
  ]);
  hasNoText();
});

test("a call that fails names the type of its error, also when it was cut off in the middle", async () => {
  const { bed, ask, spansOf, hasNoText } = await openBed();
  const refused = await ask("refused", "model: small");
  (await bed.models.next()).refuse(401, { error: { message: REFUSAL } });
  await bed.reaches(refused, RunState.FAILED);
  const failed = await spansOf(refused, 1);
  expect(failed.calls).toMatchObject([
    { name: "chat small", error: true, attributes: { "error.type": "MODEL_UNAUTHORIZED" } },
  ]);
  expect(failed.attempt.attributes["error.type"]).toBe("MODEL_UNAUTHORIZED");
  const canceled = await ask("canceled", "model: free");
  const request = await bed.models.next();
  request.begin();
  request.add(ANSWER);
  await bed.client.call(RunService.method.cancelRun, { runId: canceled });
  await request.closed;
  await bed.reaches(canceled, RunState.CANCELED);
  const { calls } = await spansOf(canceled, 1);
  expect(calls).toMatchObject([
    { name: "chat free", error: true, attributes: { "error.type": "CANCELED", "gen_ai.request.model": "free" } },
  ]);
  hasNoText();
});
