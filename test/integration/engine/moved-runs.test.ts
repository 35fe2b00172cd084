/** Those who wait for a run, watch it or call for it while its shard goes to another instance. */
import { expect, test } from "vitest";
import { shardOf } from "../../../src/base/ids.ts";
import { isWatched } from "../../../src/engine/shard/resident.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, SHARDS } from "./bed.ts";

const bed = createBed();

async function openGates(instance: Instance, count: number): Promise<string[]> {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const starts = Array.from({ length: count }, () => startOf("gate"));
  const results = await instance.engine.startRuns(CALLER, starts, 0);
  return results.map((result) => {
    if (result instanceof Error) throw result;
    return result.run.state.runId;
  });
}

// A watch waited for its run to change; when the shard left, the run was silent forever and nobody notified the watch.
test("watches end with their runs when an instance joins and takes over a part of the shards", async () => {
  const first = await bed.openInstance({ ttlMs: 600 });
  const ids = await openGates(first, 16);
  const giveUp = new AbortController();
  const watches = ids.map(async (runId) => {
    const frames: string[] = [];
    for await (const frame of first.engine.watchRun(CALLER, runId, null, giveUp.signal)) frames.push(frame.type);
    return frames;
  });
  await eventually(() => expect([...first.runs.residence.residents.values()].filter(isWatched)).toHaveLength(16));
  const second = await bed.openInstance({ ttlMs: 600 });
  await eventually(() => expect(second.runtime.shards.owned).toHaveLength(SHARDS / 2));
  for (const runId of ids) {
    const owns = first.runtime.shards.epochOf(shardOf(runId, SHARDS)) !== undefined;
    await (owns ? first : second).engine.signalRun(CALLER, runId, "go", null);
  }
  const timer = setTimeout(() => giveUp.abort(), 8_000);
  const seen = await Promise.all(watches);
  clearTimeout(timer);
  for (const frames of seen) {
    expect(frames[0]).toBe("snapshot");
    expect(frames.at(-1)).toBe("end");
  }
});

test("who waits for a run is told at once when its shard is lost", async () => {
  const instance = await bed.openInstance();
  const [runId = ""] = await openGates(instance, 1);
  const waiting = instance.engine.waitRun(CALLER, runId, 60_000, new AbortController().signal);
  await eventually(() => expect(instance.runs.residence.residents.get(runId)?.waits.size).toBe(1));
  instance.runtime.shards.lose(shardOf(runId, SHARDS));
  expect((await waiting).state.phase).toBe("RUNNING");
});

// The answer to a batch may come after the shard was lost: its attempts were begun here as well as by the new owner,
// and nobody could abort them here.
test("a batch that is answered after its shard was lost begins no attempt", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  instance.journal.onCommit({ after: (transitions) => instance.runtime.shards.lose(transitions[0]?.shard ?? -1) });
  const { run } = await instance.engine.startRun(CALLER, startOf("one"), 0);
  expect(run.state.tasks.get("a")?.state).toBe("RUNNING");
  expect(instance.tools.calls).toHaveLength(0);
});
