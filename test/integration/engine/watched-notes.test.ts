/** Notes of attempts in the watch of a run: a flood of them keeps nothing else from those who watch. */
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import type { WatchFrame } from "../../../src/engine/ports/run-watch.ts";
import { warnOfUnserved } from "../../../src/engine/runs/dispatch/unserved-notes.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";
import { connectWorker, type Taken } from "./fake-worker.ts";

const bed = createBed();

test("a watch goes on while notes are lost all the time", async () => {
  await bed.register("one", [{ id: "a", type: "worker", parameters: { handler: "work" } }]);
  const instance = await bed.openInstance();
  const worker = connectWorker(instance);
  const { runId } = (await instance.engine.startRun(CALLER, startOf("one"), 0)).run.state;
  const { token } = await eventually(() => {
    expect(worker.taken).toHaveLength(1);
    return worker.taken[0] as Taken;
  });
  const tell = (text: string) => worker.report(token, { type: "noted", note: { type: "log", level: "INFO", text } });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const watch = instance.engine.watchRun(CALLER, runId, null, stop.signal, true)[Symbol.asyncIterator]();
  expect((await watch.next()).value).toMatchObject({ type: "snapshot" });
  const first = (async () => {
    // What the journal has comes first.
    for (;;) {
      const { value } = await watch.next();
      if (value.type !== "event") return value;
    }
  })();
  await tell("first");
  expect(await first).toMatchObject({ type: "note" });
  for (let count = 0; count < 100; count += 1) await tell(`${count}`);
  await instance.engine.pauseRun(CALLER, runId, "");
  const frames: string[] = [];
  while (frames.at(-1) !== "event") {
    for (let count = 0; count < 10; count += 1) await tell("more");
    const { value } = await watch.next();
    frames.push(value.type);
    expect(frames.length).toBeLessThan(300);
  }
  expect(frames.filter((type) => type === "gap").length).toBeLessThanOrEqual(frames.length / 2 + 1);
});

test("those who watch are warned of tasks that no worker serves: once, and again when it has left", async () => {
  const task = { type: "worker", parameters: { handler: "rare", queue: "far", labels: { gpu: "a100" } } };
  await bed.register("unserved", [
    { id: "a", ...task },
    { id: "b", ...task },
    { id: "c", type: "worker", parameters: { handler: "work" } },
  ]);
  const instance = await bed.openInstance();
  connectWorker(instance);
  const asked: string[] = [];
  const warnings = warnOfUnserved({
    ...{ runs: instance.runs, clock: instance.runtime.clock, log: silentLog, patienceMs: 0 },
    isUnserved: (line) => {
      asked.push(line.handler);
      return !instance.isServed(line);
    },
  });
  onTestFinished(() => warnings.stop());
  const { runId } = (await instance.engine.startRun(CALLER, startOf("unserved"), 0)).run.state;
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const watch = (): WatchFrame[] => {
    const notes: WatchFrame[] = [];
    void (async () => {
      for await (const frame of instance.engine.watchRun(CALLER, runId, null, stop.signal, true))
        if (frame.type === "note") notes.push(frame);
    })();
    return notes;
  };
  const text = "no worker serves queue far with handler rare and labels gpu=a100; the task waits for one";
  const warning = { type: "note", view: { task: "a", attempt: 1, note: { type: "log", level: "WARN", text } } };
  const first = watch();
  await eventually(() => expect(first).toMatchObject([warning]));
  // One that comes later is warned, too; the other one is not warned again.
  const second = watch();
  await eventually(() => expect(second).toMatchObject([warning]));
  expect(first).toHaveLength(1);
  const skilled = { queues: ["far"], handlers: ["rare"], labels: { gpu: "a100" }, slots: 1 };
  const worker = connectWorker(instance, skilled);
  await eventually(() => expect(worker.taken).toHaveLength(1));
  // The other task still waits, and is seen to be served.
  const before = asked.length;
  await eventually(() => expect(asked.length).toBeGreaterThan(before + 1));
  instance.workers.goodbye(CALLER, worker.sessionId);
  await eventually(() => expect(first).toHaveLength(2));
});

test("a run whose many tasks wait in one line is asked for once a look", async () => {
  const item = { type: "worker", parameters: { handler: "many" } };
  await bed.register("many", [
    { id: "each", type: "map", parameters: { items: Array.from({ length: 500 }, (_, index) => index), task: item } },
  ]);
  const instance = await bed.openInstance();
  let asked = 0;
  let looks = 0;
  const { listeners } = instance.runs.notes;
  const notes = {
    get listeners() {
      looks += 1;
      return listeners;
    },
  };
  const warnings = warnOfUnserved({
    ...{ runs: { residence: instance.runs.residence, notes } as never, clock: instance.runtime.clock },
    ...{ log: silentLog, patienceMs: 0 },
    isUnserved: () => {
      asked += 1;
      return false;
    },
  });
  onTestFinished(() => warnings.stop());
  const { runId } = (await instance.engine.startRun(CALLER, startOf("many"), 0)).run.state;
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  // Cause: with a listener alone, the run left memory on a busy machine, where nobody looks for it.
  void (async () => {
    for await (const _ of instance.engine.watchRun(CALLER, runId, null, stop.signal, true));
  })();
  await eventually(() => expect(asked).toBeGreaterThan(1));
  expect(asked).toBeLessThanOrEqual(looks);
});
