/** Waiting tasks whose runs cannot be loaded for a while. */
import { expect, test } from "vitest";
import { toError } from "../../../src/base/errors.ts";
import { OutboxGate } from "../../../src/engine/runs/dispatch/outbox-gate.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";
import { connectWorker } from "./fake-worker.ts";

const bed = createBed();

// Cause: a task whose run could not be loaded once waited for the next takeover.
test.each([
  ["plain", "worker", {}],
  ["fair", "worker", { fairness_key: "k" }],
  ["topic", "queue", {}],
])("a hand-over that fails is tried again after longer and longer pauses: %s", async (flow, type, more) => {
  await bed.register(flow, [{ id: "a", type, parameters: { handler: "work", ...more } }]);
  const full = new OutboxGate();
  full.set({ messages: 1, bytes: 1 }, true);
  const first = await bed.openInstance({ topics: full });
  const { runId } = (await first.engine.startRun(CALLER, startOf(flow), 0)).run.state;
  const types = async () => (await bed.recordsOf(runId)).map((record) => record.type);
  await eventually(async () => expect(await types()).toContain("task.scheduled"));
  await first.runtime.stop();
  const tries: number[] = [];
  const second = await bed.openInstance({
    topics: new OutboxGate(),
    beforeLoad: (id) => {
      if (id === runId && tries.push(performance.now()) <= 3) throw toError("STORE_UNAVAILABLE", { problem: "away" });
    },
  });
  connectWorker(second);
  await eventually(async () => expect(await types()).toContain("task.dispatched"), { timeoutMs: 15_000 });
  const pauses = tries.slice(1, 4).map((at, index) => at - (tries[index] ?? 0));
  expect(pauses).toHaveLength(3);
  for (const [index, pause] of pauses.entries()) expect(pause).toBeGreaterThan(0.9 * 500 * 2 ** index);
});
