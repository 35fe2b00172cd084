/**
 * Runs that kill their owner and somebody who kills owners from outside, on a store that takes its time: only the runs
 * that kill are held.
 */
import { expect, test } from "vitest";
import { MAX_DEATHS } from "../../../src/engine/shard/submission/verdict.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";
import { liveOnce, READ_MS } from "./owner-life.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

/** Starts runs in a long call, and crashes their owner. */
async function startRuns(count: number): Promise<string[]> {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  instance.tools.hold("a");
  const starts = Array.from({ length: count }, () => instance.engine.startRun(CALLER, startOf("one"), 0));
  const runIds = (await Promise.all(starts)).map(({ run }) => run.state.runId);
  await eventually(() => expect(instance.tools.calls).toHaveLength(count));
  await instance.crash();
  return runIds;
}

const quarantined = async (): Promise<string[]> =>
  (await bed.sql<{ run_id: string }>("SELECT run_id FROM orchestrator.runs WHERE state = 'QUARANTINED'")).map(
    (row) => row.run_id,
  );

async function completeAll(runIds: readonly string[]): Promise<void> {
  const last = await bed.openInstance();
  for (const runId of runIds)
    expect((await last.engine.waitRun(CALLER, runId, 20_000, NEVER)).state).toMatchObject({
      phase: "COMPLETED",
      holds: [],
    });
  await eventually(async () => expect(await bed.sql("SELECT * FROM orchestrator.suspects")).toEqual([]));
}

// Two kills in a row that hit the trial of one run held it. Where trials take long, each kill hits some trial.
test("kills from outside at any pace hold no run, however long trials take", { timeout: 120_000 }, async () => {
  const runIds = await startRuns(20);
  // Some owners die before one trial is over, some after a few, some among the runs that were hit before.
  for (let kill = 0; kill < 60; kill += 1) {
    const { instance } = await liveOnce(bed, [], ([2, 3, 6, 12, 30][kill % 5] as number) * READ_MS);
    await instance.crash();
    expect(await quarantined(), `after ${kill + 1} kills`).toEqual([]);
  }
  const hits = await bed.sql("SELECT 1 FROM orchestrator.owner_deaths WHERE run_id IS NOT NULL");
  expect(hits.length).toBeGreaterThan(5);
  await completeAll(runIds);
});

test("a run that kills among twenty that do not is held although somebody kills from outside; the others complete", {
  timeout: 120_000,
}, async () => {
  const runIds = await startRuns(21);
  const killer = runIds[9] as string;
  let own = 0;
  let outside = 0;
  while (!(await quarantined()).includes(killer)) {
    // Every second owner is left to the run.
    const { instance, killedBy } = await liveOnce(
      bed,
      [killer],
      own > outside ? (4 + 4 * outside) * READ_MS : Infinity,
    );
    if (killedBy === killer) own += 1;
    else if (!(await quarantined()).includes(killer)) outside += 1;
    await instance.crash();
    expect(own).toBeLessThanOrEqual(MAX_DEATHS + outside);
  }
  expect(own).toBeGreaterThanOrEqual(MAX_DEATHS);
  expect(await quarantined()).toEqual([killer]);
  await completeAll(runIds.filter((runId) => runId !== killer));
});

test("two runs that kill do not excuse each other: each is held after its second death", {
  timeout: 120_000,
}, async () => {
  const runIds = await startRuns(12);
  const killers = [runIds[3], runIds[8]] as string[];
  const own: Record<string, number> = {};
  for (;;) {
    const { instance, killedBy } = await liveOnce(bed, killers, Infinity);
    await instance.crash();
    if (killedBy === null) break;
    own[killedBy] = (own[killedBy] ?? 0) + 1;
    expect(Object.values(own).reduce((sum, deaths) => sum + deaths)).toBeLessThanOrEqual(2 * MAX_DEATHS);
  }
  expect((await quarantined()).toSorted()).toEqual(killers.toSorted());
  expect(own).toEqual(Object.fromEntries(killers.map((runId) => [runId, MAX_DEATHS])));
  await completeAll(runIds.filter((runId) => !killers.includes(runId)));
});
