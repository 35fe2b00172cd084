/** What counts of events pass on to the store, once a second. */
import { expect, test, vi } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import type { CountedEvents, KnownTrigger } from "../../../../src/engine/ports/bus/triggers.ts";
import { countEvents } from "../../../../src/engine/triggers/event-counts.ts";

const TRIGGER = { tenantId: "default", triggerId: "on-push" } as KnownTrigger;

test("all events are counted, the last ten of each outcome are kept, and a store that was away gets them later", async () => {
  vi.useFakeTimers();
  try {
    const stored: (readonly CountedEvents[])[] = [];
    let isAway = true;
    const addEvents = async (groups: readonly CountedEvents[]): Promise<void> => {
      if (isAway) throw new Error("away");
      stored.push(groups);
    };
    const counts = countEvents({ store: { addEvents }, metrics: { counted() {} }, now: () => 7, log: silentLog });
    const add = (outcome: "accepted" | "failed", id: number) =>
      counts.add(TRIGGER, {
        outcome,
        eventId: `e${id}`,
        runId: "",
        problem: outcome === "failed" ? "p\0".repeat(999) : "",
      });
    for (let id = 1; id <= 8; id += 1) add("accepted", id);
    add("failed", 9);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(stored).toEqual([]);
    for (let id = 10; id <= 14; id += 1) add("accepted", id);
    isAway = false;
    await vi.advanceTimersByTimeAsync(60_000);
    const [accepted, failed] = stored.flat();
    expect(stored).toHaveLength(1);
    expect(accepted).toMatchObject({ triggerId: "on-push", outcome: "accepted", count: 13 });
    expect(accepted?.last.map(({ eventId }) => eventId)).toEqual(
      [4, 5, 6, 7, 8, 10, 11, 12, 13, 14].map((id) => `e${id}`),
    );
    expect(failed).toMatchObject({ count: 1, last: [{ at: 7, eventId: "e9", problem: "p".repeat(512) }] });
    await counts.stop();
  } finally {
    vi.useRealTimers();
  }
});
