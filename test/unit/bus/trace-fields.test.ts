/** The position in a trace goes with messages, in and out, whatever carries them. */
import { expect, test } from "vitest";
import { readFlowRun } from "../../../src/bus/kafka/messages/flow-run.ts";
import { toKafkaMessage } from "../../../src/bus/kafka/messages/outgoing.ts";
import { writeRequest } from "../../../src/bus/redis/agents/messages.ts";
import { readWhatCanBeRead, readWorkflowRequest } from "../../../src/bus/redis/requests/read-request.ts";
import type { Outgoing } from "../../../src/engine/ports/bus/outbox.ts";

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const trace = { traceparent, tracestate: "a=1" };
const about = { topic: "t", key: "k", runId: "r", sequence: 3, taskPath: "pay", tenantId: "default", at: 1 };

test("tasks and events for topics carry it as headers, which those of a flow do not replace", () => {
  const task = { kind: "task", content: { idempotencyKey: "i", trace } };
  const event = { kind: "event", content: { payload: 1, headers: { traceparent: "mine", own: "x" }, trace } };
  for (const content of [task, event]) {
    const { headers } = toKafkaMessage({ ...about, ...content } as unknown as Outgoing, (topic) => topic);
    expect(headers).toMatchObject(trace);
  }
  const untraced = { kind: "event", content: { payload: 1, headers: {} } };
  expect(toKafkaMessage({ ...about, ...untraced } as unknown as Outgoing, (topic) => topic).headers).not.toHaveProperty(
    "traceparent",
  );
});

test("requests for agents carry it as fields", () => {
  const task = { runId: "r", path: "p", attempt: 1, timeoutMs: null, correlationId: "", inputJson: Buffer.from("{}") };
  const written = (more: object) =>
    JSON.parse(writeRequest({ kind: "data", token: "t", task: { ...task, ...more } } as never));
  expect(written({ trace })).toMatchObject({ ...trace, parameters: {} });
  expect(written({ trace: null })).not.toHaveProperty("traceparent");
});

test("a message of the topic of runs names it in its headers", () => {
  const read = (headers: readonly (readonly [string, string])[]) =>
    readFlowRun(
      {
        ...{ clusterId: "c", topicId: "t", topic: "flow_runs", partition: 0, offset: 1n, key: null, sentAt: 0 },
        value: Buffer.from(JSON.stringify({ flow_id: "f" })),
        headers: headers.map(([name, value]) => [Buffer.from(name), Buffer.from(value)]),
      } as never,
      1_000,
    ).trace;
  expect(
    read([
      ["traceparent", traceparent],
      ["tracestate", "a=1"],
    ]),
  ).toEqual(trace);
  expect(read([["traceparent", "nonsense"]])).toBeNull();
  expect(read([])).toBeNull();
});

test("a request over Redis names it in its fields, which are no part of the context of the run", () => {
  const request = { workflow_template: "w", ...trace };
  expect(readWorkflowRequest(Buffer.from(JSON.stringify(request)), 1_000)).toMatchObject({ trace, context: null });
  expect(readWhatCanBeRead(Buffer.from("{"), 1_000).trace).toBeNull();
});
