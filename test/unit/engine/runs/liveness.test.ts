/** What the watch over handed-out tasks costs, and when it finds that a holder is gone. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import type { Slot } from "../../../../src/engine/ports/dispatch/hand-overs.ts";
import { type HandOut, HandOutTable } from "../../../../src/engine/runs/dispatch/hand-out-table.ts";
import { Liveness } from "../../../../src/engine/runs/dispatch/liveness.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A watch over tasks at workers, and what it has ended. */
function open() {
  const table = new HandOutTable();
  const ended: string[] = [];
  let looks = 0;
  let lostAt: number | null = null;
  const slot: Slot = {
    to: "w",
    get lostAt() {
      looks += 1;
      return lostAt;
    },
    send() {},
    cancel() {},
    release() {},
  };
  const end = (why: string) => (handOut: { readonly path: string }) => {
    ended.push(`${handOut.path} ${why}`);
    table.delete("run", handOut.path);
    return Promise.resolve("accepted" as const);
  };
  const reports = {
    writeStarts: async () => {},
    writeCheckpoints: async () => {},
    reported: end("failed"),
    returned: (handOut: { readonly path: string }, why: string) => end(why)(handOut),
  };
  const liveness = new Liveness({
    ...{ table, reports: reports as never, log: silentLog, residence: {} as never, store: {} as never },
    shards: { shardOf: () => 0, epochOf: () => 1n } as never,
    lifecycle: { stopping: false } as never,
  });
  const add = (path: string, fields: Partial<HandOut>): HandOut => {
    const handOut: HandOut = {
      ...{
        runId: "run",
        fence: table.ofRun("run").length + 1,
        path,
        attempt: 1,
        heartbeatMs: null,
        carrier: "workers",
      },
      ...{ slot, acknowledged: true, reported: false, detached: false, canceled: false },
      ...{ heardAt: performance.now(), checkpointedAt: 0 },
      ...fields,
    };
    table.add(handOut);
    return handOut;
  };
  return { liveness, ended, add, looks: () => looks, lose: () => (lostAt = performance.now()) };
}

test("a task that a worker has is looked at every few seconds", async () => {
  const { liveness, ended, add, looks } = open();
  for (let count = 0; count < 100; count += 1) add(`held.${count}`, {});
  await vi.advanceTimersByTimeAsync(60_000);
  expect(looks() / 100).toBeGreaterThan(5);
  expect(looks() / 100).toBeLessThan(30);
  expect(ended).toEqual([]);
  await liveness.stop();
});

test("each holder that is gone is found when its time is over, and not before", async () => {
  const { liveness, ended, add, lose } = open();
  add("unacknowledged", { acknowledged: false });
  add("beating", { heartbeatMs: 2_000 });
  add("agent", { carrier: "agents", acknowledged: false });
  add("topic", { carrier: "topics", acknowledged: false });
  add("detached", { detached: true, slot: null, heartbeatMs: 40_000 });
  add("held", {});
  await vi.advanceTimersByTimeAsync(4_500);
  expect(ended).toEqual(["beating failed"]);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(ended.splice(0)).toEqual(["beating failed", "unacknowledged UNACKNOWLEDGED"]);
  lose();
  await vi.advanceTimersByTimeAsync(22_000);
  expect(ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(3_500);
  expect(ended.splice(0)).toEqual(["agent UNACKNOWLEDGED"]);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(ended.splice(0)).toEqual(["held WORKER_LOST"]);
  await vi.advanceTimersByTimeAsync(4_500);
  expect(ended.splice(0)).toEqual(["detached failed"]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(ended).toEqual([]);
  await liveness.stop();
});

test("a sign of life moves the end", async () => {
  const { liveness, ended, add } = open();
  const beating = add("beating", { heartbeatMs: 2_000 });
  for (let count = 0; count < 10; count += 1) {
    await vi.advanceTimersByTimeAsync(1_500);
    beating.heardAt = performance.now();
  }
  expect(ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(3_500);
  expect(ended).toEqual(["beating failed"]);
  await liveness.stop();
});
