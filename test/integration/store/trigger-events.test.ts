/** The last events of triggers in the store: how many are kept, and how they are listed. */
import { expect, test } from "vitest";
import type { CountedEvents } from "../../../src/engine/ports/bus/triggers.ts";
import { removeOldMessages } from "../../../src/store/bus/message-retention.ts";
import { createTriggerStore } from "../../../src/store/bus/triggers.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();
const DAY_MS = 86_400_000;

const group = (triggerId: string, outcome: CountedEvents["outcome"], ids: readonly number[], at: number) => ({
  ...{ tenantId: "default", triggerId, outcome, count: ids.length },
  last: ids.map((id) => ({ at: at + id, eventId: `e${id}`, runId: `r${id}`, problem: "" })),
});

test("each outcome of a trigger keeps its last 50 events, for as long as messages are kept", async () => {
  const store = createTriggerStore(database);
  for (const triggerId of ["one", "two"])
    await store.put({ tenantId: "default", triggerId, flowId: "f", definition: "{}" }, null);
  const at = Date.now();
  const list = async (
    triggerId: string,
    outcome: CountedEvents["outcome"] | null,
    before: string | null,
    limit: number,
  ) => store.listEvents("default", triggerId, outcome, before, limit);
  await store.addEvents([group("one", "failed", [1, 2], at), group("two", "accepted", [3], at)]);
  for (let n = 10; n < 130; n += 10) {
    const ids = Array.from({ length: 10 }, (_, index) => n + index);
    // One that has been deleted meanwhile is passed over.
    await store.addEvents([group("one", "filtered", ids, at), group("gone", "filtered", ids, at)]);
  }
  const all = await list("one", null, null, 500);
  expect(all.map(({ eventId }) => eventId)).toEqual([
    ...Array.from({ length: 50 }, (_, index) => `e${129 - index}`),
    ...["e2", "e1"],
  ]);
  expect(all.at(-1)).toMatchObject({ outcome: "failed", at: at + 1, runId: "r1", problem: "" });
  const [first, second] = await list("one", null, null, 2);
  expect((await list("one", null, second?.id ?? null, 1))[0]?.eventId).toBe("e127");
  expect((await list("one", "failed", first?.id ?? null, 9)).map(({ eventId }) => eventId)).toEqual(["e2", "e1"]);
  expect((await list("two", null, null, 9)).map(({ eventId }) => eventId)).toEqual(["e3"]);
  const [count] = (await store.counts("default", ["one"])).filter(({ outcome }) => outcome === "filtered");
  expect(count).toMatchObject({ count: 120, lastEventId: "e129" });

  await store.addEvents([group("two", "failed", [4], at - 31 * DAY_MS)]);
  await removeOldMessages(database, 30 * DAY_MS);
  expect((await list("two", null, null, 9)).map(({ eventId }) => eventId)).toEqual(["e3"]);
  await store.delete("default", "one", null);
  expect(await list("one", null, null, 9)).toEqual([]);
});
