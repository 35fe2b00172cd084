/** Whom a death is held against: suspects are tried one after the other, and only the one that kills is held. */
import { expect, test } from "vitest";
import type { Engine } from "../../../src/engine/engine.ts";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import type { RunState } from "../../../src/engine/machine/state.ts";
import { blameRun } from "../../../src/store/journal/suspects.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

async function waitEnd(engine: Engine, runId: string): Promise<RunState> {
  return (await engine.waitRun(CALLER, runId, 10_000, NEVER)).state;
}

// All runs whose attempts were under way were counted at each death of their owner, and all of them were held after the
// fourth.
test("no number of crashes holds runs that are not current, however long their attempts take", async () => {
  await bed.register("one", [{ id: "a", type: "noop", parameters: { output: "done" } }]);
  let instance = await bed.openInstance();
  const release = instance.tools.hold("a");
  const starts = Array.from({ length: 10 }, () => instance.engine.startRun(CALLER, startOf("one"), 0));
  const runIds = (await Promise.all(starts)).map(({ run }) => run.state.runId);
  for (let crash = 1; crash <= 6; crash += 1) {
    await eventually(() => expect(instance.tools.calls).toHaveLength(10 * crash));
    await instance.crash();
    instance = await bed.openInstance({ tools: instance.tools });
  }
  await eventually(() => expect(instance.tools.calls).toHaveLength(70));
  release();
  for (const runId of runIds)
    expect(await waitEnd(instance.engine, runId)).toMatchObject({ phase: "COMPLETED", recoveries: 0, holds: [] });
  await eventually(async () => expect(await bed.sql("SELECT * FROM orchestrator.suspects")).toEqual([]));
});

/** Instances that never come back from the first read of `killer`, each taking over from the one before. */
async function dieReading(first: Instance, killer: string, deaths: number, aside: string[] = []): Promise<Instance> {
  const observers = [{ committed: () => {}, quarantined: (id: string) => void aside.push(id) }];
  let last = first;
  for (let death = 1; death <= deaths; death += 1) {
    await last.crash();
    let isDying = false;
    last = await bed.openInstance({
      observers,
      beforeLoad: (id) => {
        isDying ||= id === killer;
        return isDying ? new Promise(() => {}) : Promise.resolve();
      },
    });
    last.tools.hold("a");
    await eventually(() => expect(isDying).toBe(true));
  }
  await last.crash();
  return last;
}

// Takeovers were counted by a record that follows reading and settling the run: one that killed its reader was
// never counted, and killed forever. Then all runs of a dead owner were counted, so that one that killed at every
// takeover took others along.
test("a run that kills its readers is held at the third takeover, unread and alone; released, it goes on", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const start = async (): Promise<string> => (await first.engine.startRun(CALLER, startOf("one"), 0)).run.state.runId;
  const [killer = "", ...others] = [await start(), await start(), await start(), await start()];
  await eventually(() => expect(first.tools.calls).toHaveLength(4));
  await dieReading(first, killer, 2);
  const aside: string[] = [];
  const read: string[] = [];
  const after = await bed.openInstance({
    beforeLoad: (id) => void read.push(id),
    observers: [{ committed: () => {}, quarantined: (id) => void aside.push(id) }],
  });
  // The shards of an owner that died come back one after the other.
  for (const runId of others)
    await eventually(async () => expect((await waitEnd(after.engine, runId)).phase).toBe("COMPLETED"));
  await after.runtime.adopted;
  expect(aside).toEqual([killer]);
  expect(read).not.toContain(killer);
  const quarantined = await bed.sql("SELECT run_id, moving FROM orchestrator.runs WHERE state = 'QUARANTINED'");
  expect(quarantined).toEqual([{ run_id: killer, moving: false }]);
  const { holds } = await bed.stateOf(killer);
  expect(holds).toMatchObject([
    { kind: "quarantine", why: expect.stringMatching(/^2 owners died with only this run in progress/) },
  ]);
  await after.engine.resumeRun(CALLER, killer, ["quarantine"], "mended");
  expect((await waitEnd(after.engine, killer)).phase).toBe("COMPLETED");
});

test("a trial that passes takes the death at its moment away: two deaths that are not in a row hold nobody", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  let instance = await bed.openInstance();
  instance.tools.hold("a");
  const { run } = await instance.engine.startRun(CALLER, startOf("one"), 0);
  const { runId } = run.state;
  await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  const deaths = async () => (await bed.sql("SELECT moment, deaths FROM orchestrator.suspects")).map((row) => row);
  for (let round = 1; round <= 3; round += 1) {
    await dieReading(instance, runId, 1);
    instance = await bed.openInstance();
    instance.tools.hold("a");
    await eventually(() => expect(instance.tools.calls).toHaveLength(1));
    await eventually(async () => expect(await deaths()).toEqual([]));
  }
  expect((await bed.stateOf(runId)).holds).toEqual([]);
});

// Only the takeover was tried: a run that kills when its attempt reports passed it each time, and killed again a moment
// later.
test("a run that kills when its attempt reports is held after three deaths", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  let instance = await bed.openInstance();
  const { runId } = (await startHeld(instance)).run.state;
  for (let death = 1; death <= 3; death += 1) {
    const [open = () => {}] = opens.splice(0);
    await dieWriting(instance, "task.completed", open);
    instance = await bed.openInstance();
    opens.push(instance.tools.hold("a"));
    if (death < 3) await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  }
  await instance.runtime.adopted;
  expect(instance.tools.calls).toHaveLength(0);
  expect((await bed.stateOf(runId)).holds).toMatchObject([{ kind: "quarantine" }]);
});

// A trial that took ten seconds had passed: a run that blocks or waits for longer and then kills was never held, and
// its deaths were forgotten each time.
test("a run that kills long after its trial was late is held, and holds nobody else up until it has a death", async () => {
  const patienceMs = 40;
  await bed.register("one", [{ id: "a", type: "noop" }]);
  let instance = await bed.openInstance();
  instance.tools.hold("a");
  const start = async (): Promise<string> =>
    (await instance.engine.startRun(CALLER, startOf("one"), 0)).run.state.runId;
  const killer = await start();
  const other = await start();
  await eventually(() => expect(instance.tools.calls).toHaveLength(2));
  const marks = () =>
    bed.sql('SELECT run_id, deaths, in_hand, alone FROM orchestrator.suspects ORDER BY run_id COLLATE "C"');
  const dieLate = async (): Promise<void> => {
    await instance.crash();
    let lateAt = Number.POSITIVE_INFINITY;
    instance = await bed.openInstance({
      suspectPatienceMs: patienceMs,
      beforeLoad: (id) => {
        if (id !== killer) return;
        lateAt = performance.now() + 3 * patienceMs;
        return new Promise(() => {});
      },
    });
    instance.tools.hold("a");
    await eventually(() => expect(performance.now()).toBeGreaterThan(lateAt));
    await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  };
  await dieLate();
  await eventually(async () => expect(await marks()).toMatchObject([{ run_id: killer, deaths: 0, in_hand: true }]));
  for (const deaths of [0, 1]) {
    await dieLate();
    expect(await marks()).toEqual([{ run_id: killer, deaths, in_hand: true, alone: true }]);
  }
  await instance.crash();
  instance = await bed.openInstance();
  instance.tools.hold("a");
  await instance.runtime.adopted;
  expect((await bed.stateOf(killer)).holds).toMatchObject([{ kind: "quarantine" }]);
  expect((await bed.stateOf(other)).holds).toEqual([]);
});

// The mark stayed until the next takeover: the moment at which the owner had died never came again.
test("a run that ends takes its deaths at other moments along", async () => {
  await bed.register("two", [
    { id: "a", type: "noop" },
    { id: "b", type: "signal", parameters: { name: "go" } },
  ]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const { runId } = (await first.engine.startRun(CALLER, startOf("two"), 0)).run.state;
  await eventually(() => expect(first.tools.calls).toHaveLength(1));
  await first.crash();
  const second = await bed.openInstance();
  second.tools.hold("a");
  await eventually(() => expect(second.tools.calls).toHaveLength(1));
  await dieWriting(second, "signal.received", () => {
    // Nobody learns of the signal: its caller has no answer.
    second.engine.signalRun(CALLER, runId, "go", null).catch(() => {});
  });
  const third = await bed.openInstance();
  third.tools.hold("a");
  await eventually(() => expect(third.tools.calls).toHaveLength(1));
  const marks = () => bed.sql("SELECT moment, deaths FROM orchestrator.suspects WHERE deaths > 0");
  expect(await marks()).toEqual([{ moment: "signal", deaths: 1 }]);
  await third.engine.cancelRun(CALLER, runId, "no longer wanted", false);
  expect((await waitEnd(third.engine, runId)).phase).toBe("CANCELED");
  await eventually(async () => expect(await bed.sql("SELECT * FROM orchestrator.suspects")).toEqual([]));
});

/** Does `act`; the instance dies when it is about to write a record of type `record`, and nothing of it is written. */
async function dieWriting(instance: Instance, record: JournalRecord["type"], act: () => void): Promise<void> {
  const dying = new Promise<void>((resolve) => {
    instance.journal.onCommit(
      {
        before: () => {
          resolve();
          return new Promise(() => {});
        },
      },
      (transitions) => transitions.some((transition) => transition.records.some(({ type }) => type === record)),
    );
  });
  act();
  await dying;
  await instance.crash();
}

const opens: (() => void)[] = [];

async function startHeld(instance: Instance) {
  opens.splice(0, opens.length, instance.tools.hold("a"));
  const started = await instance.engine.startRun(CALLER, startOf("one"), 0);
  await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  return started;
}

test("a run that the watchdog named is held by the next owner before it is touched", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  const { runId } = (await startHeld(first)).run.state;
  expect(await blameRun(bed.database.journal, "somebody else", runId)).toBe(false);
  expect(await blameRun(bed.database.journal, first.id, "unknown")).toBe(false);
  expect(await blameRun(bed.database.journal, first.id, runId)).toBe(true);
  await first.crash();
  const read: string[] = [];
  const second = await bed.openInstance({ beforeLoad: (id) => void read.push(id) });
  await second.runtime.adopted;
  expect(read).toEqual([]);
  expect((await second.engine.getRun(CALLER, runId)).state.holds).toMatchObject([{ kind: "quarantine" }]);
});

test("a caller who asks for a suspect waits for its trial, and the trial does not wait for the others", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const first = await bed.openInstance();
  first.tools.hold("a");
  const starts = await Promise.all(Array.from({ length: 20 }, () => first.engine.startRun(CALLER, startOf("one"), 0)));
  const wanted = starts.at(-1)?.run.state.runId ?? "";
  await first.crash();
  const read: string[] = [];
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const second = await bed.openInstance({
    beforeLoad: (id) => {
      read.push(id);
      return read.length === 1 ? opened : undefined;
    },
  });
  await eventually(() => expect(read).toHaveLength(1));
  const got = second.engine.getRun(CALLER, wanted);
  open();
  expect((await got).state.recoveries).toBe(1);
  expect(read.indexOf(wanted)).toBe(1);
});
