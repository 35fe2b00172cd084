/** Tokens that are not the caller's: forged, of another tenant, or made for something else. */
import { expect, test } from "vitest";
import type { WorkerReport } from "../../../src/engine/ports/dispatch/workers.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";
import { connectWorker, type Taken } from "./fake-worker.ts";

const bed = createBed();

const FOREIGN = { tenantId: "elsewhere", actor: "" };

/** One of every kind. */
const REPORTS: readonly WorkerReport[] = [
  { type: "acknowledged" },
  { type: "alive" },
  { type: "noted", note: { type: "log", level: "INFO", text: "here" } },
  { type: "checkpoint", text: "1" },
  { type: "handed_back", reason: "" },
  { type: "detached" },
  { type: "stopped" },
  { type: "ended", outcome: { ok: true, output: 1 } },
  { type: "ended", outcome: { ok: false, error: { type: "T", message: "", retryable: true } } },
];

test("no report with a token that is not the caller's changes anything, and none learns anything", async () => {
  await bed.register("one", [{ id: "a", type: "worker", parameters: { handler: "work" } }]);
  const instance = await bed.openInstance();
  const { workers } = instance;
  const worker = connectWorker(instance);
  const { runId } = (await instance.engine.startRun(CALLER, startOf("one"), 0)).run.state;
  const [{ token }] = (await eventually(() => {
    expect(worker.taken).toHaveLength(1);
    return worker.taken;
  })) as [Taken];
  await worker.report(token, { type: "acknowledged" });
  const { length } = await eventually(async () => {
    const records = await bed.recordsOf(runId);
    expect(records.at(-1)?.type).toBe("task.started");
    return records;
  });

  const foreign = connectWorker(instance, { name: "foreign" });
  const there = workers.register(FOREIGN, {
    ...{ name: "f", sdk: "", queues: ["default"], handlers: ["work"], slots: 1, labels: {}, buildId: "" },
  });
  const flipped = [...token].map(
    (letter, at) => `${token.slice(0, at)}${letter === "A" ? "B" : "A"}${token.slice(at + 1)}`,
  );
  const forged = [...flipped, "", "x", `${token}A`, token.slice(1), token.toLowerCase(), "A".repeat(256)];
  const unknown = { standing: "unknown", message: "the task token is not one of this service" };
  for (const report of REPORTS) {
    for (const sessionId of [worker.sessionId, there.sessionId, "none"])
      expect(await workers.report(FOREIGN, sessionId, token, report), report.type).toEqual(unknown);
    for (const wrong of forged.filter((one) => one !== token))
      expect(await workers.report(CALLER, foreign.sessionId, wrong, report), wrong).toEqual(unknown);
  }
  expect(workers.runOf(FOREIGN, worker.sessionId, token)).toBeNull();

  // Nor does a session of somebody else serve.
  expect(workers.touch(FOREIGN, worker.sessionId)).toBe(false);
  expect(workers.goodbye(FOREIGN, worker.sessionId)).toBe(false);
  const never = new AbortController().signal;
  await expect(workers.poll(FOREIGN, worker.sessionId, never)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "WORKER_SESSION_NOT_FOUND",
  });
  await expect(workers.fetch(FOREIGN, worker.sessionId, 0, never, never)).rejects.toMatchObject({
    code: "WORKER_SESSION_NOT_FOUND",
  });
  const shown = workers.list(CALLER).find(({ name }) => name === "w");
  expect(workers.list(FOREIGN).map(({ name }) => name)).toEqual(["f"]);
  expect(workers.drain(FOREIGN, shown?.workerId ?? "", "")).toBeNull();

  // The task goes on as if nothing had been said.
  expect(await bed.recordsOf(runId)).toHaveLength(length);
  expect(
    workers
      .list(CALLER)
      .map(({ name, holdings }) => [name, holdings.length])
      .sort(),
  ).toEqual([
    ["foreign", 0],
    ["w", 1],
  ]);
  expect(await worker.complete(token, 1)).toMatchObject({ standing: "accepted" });
  expect((await instance.engine.waitRun(CALLER, runId, 10_000, never)).state.phase).toBe("COMPLETED");
});
