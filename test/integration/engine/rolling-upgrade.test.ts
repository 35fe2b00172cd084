/** Two releases on one database while they change places: what only the newer one reads is not written yet. */
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import type { Upgrades } from "../../../src/engine/ports/instances/upgrades.ts";
import { FORMAT, JOURNAL_VERSION } from "../../../src/engine/shard/ownership/journal-format.ts";
import { createUpgrades } from "../../../src/store/upgrades.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();
const upgrades: Upgrades = {
  view: () => createUpgrades(bed.database, silentLog).view(),
  finalize: (by) => createUpgrades(bed.database, silentLog).finalize(by),
};

/** The version of the next release. */
const NEXT = JOURNAL_VERSION + 1;

/** This build becomes the next release, in which records of this type are new. Older instances are there already. */
async function openNextRelease(type: string): Promise<Instance> {
  const before = { ...FORMAT };
  Object.assign(FORMAT, { version: NEXT, since: { [type]: NEXT } });
  onTestFinished(() => void Object.assign(FORMAT, before));
  const instance = await bed.openInstance({ ttlMs: 600 });
  expect(instance.runtime.format.version).toBe(JOURNAL_VERSION);
  return instance;
}

/** The last older instance goes. */
async function replaceAll(): Promise<void> {
  await bed.sql("UPDATE orchestrator.instances SET reads = $1", [NEXT]);
}

/** The last older instance goes, and the upgrade is finalized. */
async function upgradeAll({ runtime }: Instance): Promise<void> {
  await replaceAll();
  expect(await upgrades.finalize("ops")).toMatchObject({ journal: NEXT, newest: NEXT });
  onTestFinished(() =>
    bed
      .sql("UPDATE orchestrator.settings SET value = $1 WHERE name = 'journal_version'", [String(JOURNAL_VERSION)])
      .then(() => {}),
  );
  await eventually(() => expect(runtime.format.version).toBe(NEXT));
}

// Cause: the run was put on a quarantine hold.
test("a change that an older instance cannot read is refused until it has gone, and its run goes on", async () => {
  const instance = await openNextRelease("signal.received");
  await bed.register("gate", [
    { id: "go", type: "signal", parameters: { name: "go" } },
    { id: "nap", type: "wait", parameters: { duration: "300ms" } },
  ]);
  const { run } = await instance.engine.startRun(CALLER, startOf("gate"), 0);
  const { runId } = run.state;
  const signal = () => instance.engine.signalRun(CALLER, runId, "go", null);
  await expect(signal()).rejects.toMatchObject({
    code: "UPGRADE_UNDER_WAY",
    retry: "yes",
    retryAfterMs: 2_000,
    details: { what: "signal.received" },
  });
  // Its timer fires all the same.
  await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("nap")?.state).toBe("COMPLETED"));
  await instance.engine.pauseRun(CALLER, runId, "stays usable");
  await instance.engine.resumeRun(CALLER, runId, [], "");
  expect((await bed.stateOf(runId)).holds).toEqual([]);
  await upgradeAll(instance);
  expect((await signal()).state.phase).toBe("COMPLETED");
});

test("what is new is refused until the upgrade is finalized, and nothing is finalized while an older instance lives", async () => {
  const instance = await openNextRelease("signal.received");
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const { runId } = (await instance.engine.startRun(CALLER, startOf("gate"), 0)).run.state;
  const signal = () => instance.engine.signalRun(CALLER, runId, "go", null);
  await bed.sql("UPDATE orchestrator.instances SET reads = $1 WHERE instance_id = $2", [NEXT, instance.id]);
  await bed.openInstance({ ttlMs: 60_000 });
  await expect(upgrades.finalize("ops")).rejects.toMatchObject({
    code: "UPGRADE_INCOMPLETE",
    details: { release: "test", reads: JOURNAL_VERSION, newest: NEXT },
  });
  await replaceAll();
  await eventually(async () =>
    expect(await signal().catch((error: unknown) => error)).toMatchObject({
      code: "UPGRADE_NOT_FINALIZED",
      retry: "no",
      details: { what: "signal.received" },
    }),
  );
  await upgradeAll(instance);
  expect((await signal()).state.phase).toBe("COMPLETED");
  // The release before does not come back.
  await expect(bed.openInstance({ ttlMs: 600 })).rejects.toMatchObject({
    code: "JOURNAL_TOO_NEW",
    details: { found: NEXT, known: JOURNAL_VERSION },
  });
});

test("a result that an older instance cannot read waits, and is not lost", async () => {
  const instance = await openNextRelease("task.completed");
  await bed.register("work", [
    { id: "one", type: "noop" },
    { id: "two", type: "noop", depends_on: ["one"] },
  ]);
  const { runId } = (await instance.engine.startRun(CALLER, startOf("work"), 0)).run.state;
  const warned = () => instance.lines.filter(({ message }) => message.startsWith("work waits until what it writes"));
  await eventually(() => expect(warned()).toHaveLength(1));
  expect((await bed.recordsOf(runId)).map(({ type }) => type)).not.toContain("task.completed");
  // Something else that the run writes tries the result again, in vain.
  await instance.engine.pauseRun(CALLER, runId, "");
  await instance.engine.resumeRun(CALLER, runId, [], "");
  expect((await bed.stateOf(runId)).holds).toEqual([]);
  await upgradeAll(instance);
  const { state } = await instance.engine.waitRun(CALLER, runId, 10_000, new AbortController().signal);
  expect(state.phase).toBe("COMPLETED");
  expect(state.tasks.get("one")?.attempt).toBe(1);
  expect(instance.tools.calls.filter(({ path }) => path === "one")).toHaveLength(1);
  expect(warned()).toHaveLength(1);
});

test("a timer whose record an older instance cannot read waits without being tried over and over", async () => {
  const instance = await openNextRelease("task.completed");
  await bed.register("nap", [{ id: "nap", type: "wait", parameters: { duration: "50ms" } }]);
  const { runId } = (await instance.engine.startRun(CALLER, startOf("nap"), 0)).run.state;
  await eventually(() => expect(instance.lines.some(({ level }) => level === "warn")).toBe(true));
  let reads = 0;
  instance.journal.beforeLoad = () => void (reads += 1);
  const before = instance.renewals();
  await eventually(() => expect(instance.renewals()).toBeGreaterThan(before + 1));
  expect(reads).toBeLessThan(2);
  await upgradeAll(instance);
  const { state } = await instance.engine.waitRun(CALLER, runId, 10_000, new AbortController().signal);
  expect(state.phase).toBe("COMPLETED");
});

// Cause: a delayed start wrote its limit into a record that older instances read without it. The one that had the run
// when its time came began it past the limit.
test("a delayed start with a limit is refused while an instance lives that would begin it without its slot", async () => {
  await bed.register("later", {
    workflow: { limit: { name: "runs", max_concurrent: 1 }, tasks: [{ id: "go", type: "noop" }] },
  });
  await bed.register("free", [{ id: "go", type: "noop" }]);
  const instance = await bed.openInstance({ ttlMs: 600 });
  const beforeLimits = (FORMAT.since["run.limited"] ?? 0) - 1;
  await bed.sql("UPDATE orchestrator.instances SET reads = $1", [beforeLimits]);
  await eventually(() => expect(instance.runtime.format.version).toBe(beforeLimits));
  const start = (flow: string) => instance.engine.startRun(CALLER, startOf(flow, { startDelayMs: 50 }), 0);
  await expect(start("later")).rejects.toMatchObject({ code: "UPGRADE_UNDER_WAY" });
  expect(await bed.sql("SELECT run_id FROM orchestrator.runs WHERE flow_id = 'later'")).toEqual([]);
  expect((await start("free")).started).toBe(true);
  await bed.sql("UPDATE orchestrator.instances SET reads = $1", [JOURNAL_VERSION]);
  await eventually(() => expect(instance.runtime.format.version).toBe(JOURNAL_VERSION));
  const { runId } = (await start("later")).run.state;
  const { state } = await instance.engine.waitRun(CALLER, runId, 10_000, new AbortController().signal);
  expect(state.phase).toBe("COMPLETED");
  expect((await bed.recordsOf(runId)).map(({ type }) => type)).toContain("run.limited");
});
