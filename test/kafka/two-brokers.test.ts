/** A cluster of two brokers, one of which stands still. */
import { randomUUID } from "node:crypto";
import { afterAll, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { openProducer } from "../support/executor.ts";
import { administer, startKafkaBroker } from "../support/kafka-broker.ts";
import { openKafkaService } from "../support/kafka-service.ts";

const first = await startKafkaBroker();
const second = await startKafkaBroker(false, first);
const service = await openKafkaService(first.address);
afterAll(async () => {
  await service.close();
  await second.remove();
  await first.remove();
});

test("a broker that stands still delays the messages of its partitions, and no others", {
  timeout: 120_000,
}, async () => {
  const topic = `${service.prefix}flow_runs`;
  await administer(first.address, (admin) => admin.deleteTopics({ topics: [topic] }));
  const assignments = [1, 2].map((node, partition) => ({ partition, brokers: [node] }));
  await eventually(() => administer(first.address, (admin) => admin.createTopics({ topics: [topic], assignments })));
  await service.serve();
  const producer = openProducer(first.address);
  onTestFinished(() => producer.close(true));
  const send = async (partition: number, runIds: readonly string[]): Promise<void> => {
    const definition = { name: "Quick", workflow: { tasks: [{ id: "a", type: "noop" }] } };
    const messages = runIds.map((run_id) => {
      const value = {
        event_type: "flow_run_requested",
        run_id,
        flow_id: "quick",
        input: {},
        flow_definition: definition,
      };
      return { topic, partition, key: run_id, value: JSON.stringify(value) };
    });
    await producer.send({ messages });
  };
  const create = (): string[] => Array.from({ length: 20 }, () => randomUUID());
  const warm = [create(), create()] as const;
  await send(0, warm[0]);
  await send(1, warm[1]);
  await service.untilCompleted([...warm[0], ...warm[1]]);
  const late = create();
  await send(1, late);
  await service.untilCompleted(late);
  second.signal("SIGSTOP");
  onTestFinished(() => second.signal("SIGCONT"));
  // The first of them may come with a fetch that is under way.
  for (let round = 0; round < 3; round += 1) {
    const runIds = create();
    await send(0, runIds);
    await service.untilCompleted(runIds, 3_000);
  }
  second.signal("SIGCONT");
  const again = create();
  await send(1, again);
  await service.untilCompleted(again, 30_000);
});
