/** Topics that start flows, on a real broker and a real database. */
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTopics } from "../support/kafka-broker.ts";
import { openKafkaService } from "../support/kafka-service.ts";
import { keyedTriggers, openTriggeredFlow } from "../support/triggered-flow.ts";

const service = await openKafkaService();
afterAll(() => service.close());

const topic = `${service.prefix}orders`;
const trigger = (id: string, when: string): string => `id: ${id}
flow_id: told
source: {type: kafka, topic: ${topic}, offset_reset: earliest}
when: ${when}
start: {input: {what: "\${event.body.n}"}}
`;

test("messages of a topic start runs at two instances, each once for each trigger that wants it", async () => {
  await createTopics(service.broker, [topic], 4);
  const first = await service.serve();
  const second = await service.serve();
  const flow = await openTriggeredFlow(first.address);
  // Before there is a trigger: it begins at the first message.
  await service.send("orders", { n: 1, kind: "new" }, { n: 2, kind: "old" });
  await flow.put(trigger("small", "${event.body.kind == 'new'}"));
  await eventually(async () => expect(await flow.outputs()).toEqual([{ done: 1 }]), { timeoutMs: 30_000 });
  await flow.put(trigger("all", "true"));
  // No number in it, and no JSON: what cannot be applied is counted, and the next one passes.
  await service.send("orders", { kind: "new" }, { n: 3, kind: "new" }, { n: 4, kind: "old" });
  const done = [1, 3, 3, 4].map((n) => ({ done: n }));
  await eventually(async () => expect(await flow.outputs()).toEqual(done), { timeoutMs: 30_000 });
  await eventually(async () => {
    expect(await flow.counts("small")).toEqual({ ACCEPTED: 2, FILTERED: 2, FAILED: 1 });
    expect(await flow.counts("all")).toEqual({ ACCEPTED: 2, FAILED: 1 });
  });
  await flow.pause("all");
  await eventually(async () => {
    await service.send("orders", { n: 5, kind: "old" });
    expect((await flow.counts("all"))["PAUSED"]).toBeGreaterThan(0);
  });
  // A new owner reads on, and what it reads again starts nothing.
  await first.stop("SIGKILL");
  const again = await openTriggeredFlow(second.address);
  await again.resume("all");
  await service.send("orders", { n: 9, kind: "old" });
  await eventually(async () => expect((await again.outputs()).at(-1)).toEqual({ done: 9 }), { timeoutMs: 60_000 });
  const outputs = await again.outputs();
  expect(outputs.filter((one) => (one as { done: number }).done !== 5)).toEqual([...done, { done: 9 }]);
});

test("topics that the service uses itself are refused", async () => {
  const one = await service.serve();
  const flow = await openTriggeredFlow(one.address);
  for (const name of ["flow_runs", "dead_letter_queue"])
    await expect(flow.put(trigger("own", "true").replace("orders", name))).rejects.toMatchObject({
      code: "TRIGGER_INVALID",
    });
});

test("messages of a topic signal the open run with their key, at whichever instance it is", async () => {
  await createTopics(service.broker, [`${service.prefix}payments`], 4);
  const [first, second] = [await service.serve(), await service.serve()];
  const [flow, other] = await Promise.all([openTriggeredFlow(first.address), openTriggeredFlow(second.address)]);
  for (const source of keyedTriggers(`{type: kafka, topic: ${service.prefix}payments, offset_reset: earliest}`))
    await flow.put(source);
  const before = (await flow.outputs()).length;
  const ids = Array.from({ length: 8 }, (_, index) => index);
  // Each twice: the second one finds the run with the key.
  await service.send("payments", ...[...ids, ...ids].map((id) => ({ kind: "order", id })));
  await eventually(async () => expect(await flow.counts("ordered")).toMatchObject({ ACCEPTED: 16 }), {
    timeoutMs: 30_000,
  });
  expect(await flow.outputs()).toHaveLength(before + 8);
  await service.send(
    "payments",
    { kind: "paid", id: 99, n: 1 },
    ...ids.map((id) => ({ kind: "paid", id, n: 100 + id })),
  );
  const paid = ids.map((id) => ({ done: 100 + id }));
  await eventually(async () => expect(await other.outputs()).toEqual(expect.arrayContaining(paid)), {
    timeoutMs: 30_000,
  });
  await eventually(async () => expect(await flow.counts("paid")).toEqual({ ACCEPTED: 8, UNMATCHED: 1, FILTERED: 16 }));
});
