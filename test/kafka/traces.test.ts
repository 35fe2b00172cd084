/** A trace that comes with a message of a topic, and goes on with what the run sends to others. */
import { randomUUID } from "node:crypto";
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { openProducer } from "../support/executor.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";
import { openTraceReceiver } from "../support/traces/trace-receiver.ts";

const service = await openKafkaService();
afterAll(() => service.close());

const CALLER = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };
const told = `${service.prefix}told`;

/** The `traceparent` of each message of these topics, by topic. */
async function followHeaders(...topics: string[]): Promise<ReadonlyMap<string, string>> {
  const consumer = new Consumer({
    clientId: "reader",
    groupId: `${service.prefix}readers`,
    bootstrapBrokers: [service.broker],
    deserializers: stringDeserializers,
  });
  const found = new Map<string, string>();
  const stream = await consumer.consume({ topics, mode: "earliest", autocommit: true });
  stream.on("data", ({ topic, headers }) => {
    const { traceparent } = Object.fromEntries(headers);
    if (traceparent !== undefined) found.set(topic, traceparent);
  });
  onTestFinished(() => consumer.close(true));
  return found;
}

test("the run that a message starts links to its sender, and tasks and events have their attempts in their headers", async () => {
  const collector = await openTraceReceiver();
  await createTopics(service.broker, [told], 1);
  await service.serve({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.httpUrl, OTEL_BSP_SCHEDULE_DELAY: "50" });
  const runId = randomUUID();
  await service.execute(new Set([runId]), async () => ({ done: true }));
  const sent = await followHeaders(told, `${service.prefix}task_queue`);
  const producer = openProducer(service.broker);
  onTestFinished(() => producer.close(true));
  const request = flowRunRequest(runId, [
    { id: "work", type: "queue", parameters: { handler: "h" } },
    { id: "tell", type: "emit", depends_on: ["work"], parameters: { topic: told, payload: 1 } },
  ]);
  await producer.send({
    messages: [
      {
        ...{ topic: `${service.prefix}flow_runs`, key: runId, value: JSON.stringify(request) },
        headers: { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` },
      },
    ],
  });
  await service.untilCompleted([runId]);
  const root = await eventually(() => {
    const found = collector.spans.find(({ links }) => links.some(({ spanId }) => spanId === CALLER.spanId));
    if (found === undefined) throw new Error(`no root among ${JSON.stringify(collector.spans)}`);
    return found;
  });
  expect(root).toMatchObject({ attributes: { "orchestrator.run.id": runId }, links: [CALLER] });
  const spans = await collector.trace(root.traceId, 3);
  const spanOf = (path: string) => spans.find(({ attributes }) => attributes["orchestrator.task.path"] === path);
  await eventually(() => expect(sent.size).toBe(2));
  expect(sent.get(`${service.prefix}task_queue`)).toBe(`00-${root.traceId}-${spanOf("work")?.spanId}-01`);
  expect(sent.get(told)).toBe(`00-${root.traceId}-${spanOf("tell")?.spanId}-01`);
});
