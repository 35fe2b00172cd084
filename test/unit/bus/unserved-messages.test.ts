/** Messages for places that nobody serves: what becomes undelivered, what waits, and what is sent again. */
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { keepUnservedMessages } from "../../../src/bus/unserved-messages.ts";
import type {
  OutboxPlace,
  OutgoingId,
  PlaceOutbox,
  StoredOutgoing,
  UnservedOutbox,
} from "../../../src/engine/ports/bus/outbox.ts";
import { eventually } from "../../support/eventually.ts";

/** An outbox in memory: how many messages each place has. */
function createPlaces(counts: Record<string, number>) {
  const restored: string[] = [];
  const of = (destination: string, place: string): PlaceOutbox => {
    const key = `${destination} ${place}`;
    return {
      list: async (_shards, _without, limit) =>
        Array.from({ length: Math.min(counts[key] ?? 0, limit) }, (_, id) => ({
          id: { shard: 0, id: String(id) } satisfies OutgoingId,
        })) as unknown as readonly StoredOutgoing[],
      delete: async () => {},
      measure: async () => ({ messages: counts[key] ?? 0, bytes: 0 }),
      reject: async (messages) => {
        counts[key] = (counts[key] ?? 0) - messages.length;
      },
    };
  };
  const outbox: UnservedOutbox = {
    listPlaces: async () =>
      Object.entries(counts)
        .filter(([, count]) => count > 0)
        .map(([key]) => key.split(" ") as [OutboxPlace["destination"], string])
        .map(([destination, place]) => ({ destination, place })),
    of,
    restore: async (destination, places) => {
      restored.push(`${destination} ${places?.join() ?? "all"}`);
      return restored.length === 1 ? 3 : 0;
    },
  };
  return { outbox, restored };
}

test("events are set aside, what runs rely on waits, and what was set aside before is sent first", async () => {
  const counts: Record<string, number> = {
    ...{ "webhook billing": 5, "webhook gone": 1_200, "stream news": 2, "kafka task_queue": 7, "redis answers": 9 },
  };
  const { outbox, restored } = createPlaces(counts);
  const seen: string[] = [];
  const warned: unknown[] = [];
  const gauge = new Map<string, number>();
  const loop = keepUnservedMessages({
    outbox,
    served: { kafka: "none", stream: "none", redis: "all", webhook: new Set(["billing"]) },
    shards: { owned: [0] },
    waiting: (destination, place, messages) => gauge.set(`${destination} ${place}`, messages),
    rejected: (destination, messages) => seen.push(`${destination} ${messages.length} ${messages[0]?.code}`),
    restored: () => seen.push("restored"),
    log: { ...silentLog, warn: (text, fields) => warned.push([text, fields]) },
  });
  await eventually(() => expect(gauge.size).toBe(3));
  expect(restored).toEqual(["redis all", "webhook billing"]);
  const set = ["webhook 500", "webhook 500", "webhook 200", "stream 2"].map((text) => `${text} UNSERVED`);
  expect(seen).toEqual(["restored", ...set]);
  expect(Object.fromEntries(gauge)).toEqual({ "webhook gone": 0, "stream news": 0, "kafka task_queue": 7 });
  expect(counts).toMatchObject({ "webhook billing": 5, "kafka task_queue": 7, "redis answers": 9 });
  expect(warned).toHaveLength(3);

  // The next look finds less: nothing is told twice, and what has gone is 0.
  counts["kafka task_queue"] = 0;
  counts["webhook gone"] = 1;
  loop.nudge();
  await eventually(() => expect(gauge.get("kafka task_queue")).toBe(0));
  expect(seen.slice(5)).toEqual(["webhook 1 UNSERVED"]);
  expect(restored).toHaveLength(2);
  expect(warned).toHaveLength(3);
  await loop.stop();
});
