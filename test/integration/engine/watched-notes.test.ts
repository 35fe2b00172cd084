/** Notes of attempts in the watch of a run: a flood of them keeps nothing else from those who watch. */
import { expect, onTestFinished, test } from "vitest";
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
