/** An engine whose connections to the database break around COMMIT. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { type Database, openDatabase } from "../../../src/store/sql/pool.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "../engine/bed.ts";
import { type Fate, type LossyProxy, openLossyProxy } from "./lossy-proxy.ts";

const bed = createBed();

const NEVER = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), "lossy-"));

let proxy: LossyProxy;
let database: Database;

beforeAll(async () => {
  proxy = await openLossyProxy(folder, bed.target);
  const timeouts = { statementMs: 1_500, answerMs: 2_000, connectMs: 1_000 };
  database = await openDatabase({ target: proxy.target, log: silentLog, timeouts });
});

afterAll(async () => {
  await database.close();
  await proxy.close();
  rmSync(folder, { recursive: true });
});

async function openInstance(): Promise<Instance> {
  await bed.register("steps", [
    { id: "a", type: "noop", parameters: { output: 1 } },
    { id: "b", type: "noop", depends_on: ["a"], parameters: { output: "${a.output + 1}" } },
  ]);
  return bed.openInstance({ database, commitConnections: 1 });
}

for (const fate of ["lost", "cut", "hung"] as const satisfies readonly Fate[]) {
  test(`starts whose commit is ${fate} are made once and answered`, async () => {
    const instance = await openInstance();
    proxy.next("run.started", fate);
    const before = proxy.met;
    const results = await instance.engine.startRuns(
      CALLER,
      Array.from({ length: 20 }, (_, index) => startOf("steps", { requestId: `r${index}` })),
      10_000,
    );
    expect(proxy.met).toBe(before + 1);
    for (const result of results)
      expect(result).toMatchObject({ started: true, run: { state: { phase: "COMPLETED" } } });
    expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(20);
    expect(instance.tools.calls).toHaveLength(40);
  });

  test(`results whose commit is ${fate} are recorded once`, async () => {
    const instance = await openInstance();
    const release = instance.tools.hold("a");
    const { run } = await instance.engine.startRun(CALLER, startOf("steps"), 0);
    const { runId } = run.state;
    proxy.next("task.completed", fate);
    release();
    const { state } = await instance.engine.waitRun(CALLER, runId, 10_000, NEVER);
    expect(state).toMatchObject({ phase: "COMPLETED", output: { b: 2 } });
    const types = (await bed.recordsOf(runId)).map((record) => record.type);
    expect(types.filter((type) => type === "task.completed")).toHaveLength(2);
    expect(instance.tools.calls.map((call) => call.path)).toEqual(["a", "b"]);
  });
}

test("sessions that the server ends, again and again, lose and double nothing", async () => {
  const instance = await openInstance();
  const killing = setInterval(() => {
    void bed.database.reads
      .query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'orchestrator journal%'",
      )
      .catch(() => {});
  }, 50);
  onTestFinished(() => clearInterval(killing));
  const ids = new Set<string>();
  const unknowns = () => instance.lines.filter((line) => line.message.includes("outcome of a batch is unknown")).length;
  // How often a session ends with a commit under way is chance: go on until it was seen, within reason.
  let starts = 0;
  for (; starts < 60 || (unknowns() < 3 && starts < 5_000); starts += 1) {
    const request = startOf("steps", { requestId: `r${starts}`, requestHash: "h" });
    const { run } = await eventually(() => instance.engine.startRun(CALLER, request, 0));
    ids.add(run.state.runId);
  }
  clearInterval(killing);
  expect(unknowns()).toBeGreaterThanOrEqual(3);
  expect(ids.size).toBe(starts);
  await eventually(async () => {
    const [row] = await bed.sql<{ open: number }>(
      "SELECT count(*) AS open FROM orchestrator.runs WHERE ended_at IS NULL",
    );
    expect(row?.open).toBe(0);
  });
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(starts);
  for (const runId of ids) {
    const types = (await bed.recordsOf(runId)).map((record) => record.type);
    expect(types.filter((type) => type === "task.completed")).toHaveLength(2);
    expect((await bed.stateOf(runId)).output).toEqual({ b: 2 });
  }
  expect(instance.lines.filter((line) => line.level === "error")).toEqual([]);
});

test("a database that is away is said so, nothing is half-written, and the work goes on when it is back", async () => {
  const instance = await openInstance();
  const release = instance.tools.hold("a");
  const { run } = await instance.engine.startRun(CALLER, startOf("steps"), 0);
  const { runId } = run.state;
  await eventually(() => expect(instance.tools.calls).toHaveLength(1));
  proxy.down = true;
  onTestFinished(() => {
    proxy.down = false;
  });
  // Twice: the second ones come while the engine tries to find out about the first.
  const ask = () => [
    instance.engine.startRun(CALLER, startOf("steps", { requestId: "r" }), 0),
    instance.engine.signalRun(CALLER, runId, "s", 1, { id: "q", hash: "" }),
    instance.engine.getRun(CALLER, "01m7y0dqrw06hm4hd38g2r2b26"),
  ];
  const answers = [...(await Promise.allSettled(ask())), ...(await Promise.allSettled(ask()))];
  for (const answer of answers) {
    expect(answer.status).toBe("rejected");
    const { reason } = answer as PromiseRejectedResult;
    // Never NOT_FOUND for what cannot be looked up.
    expect(["STORE_UNAVAILABLE", "STORE_TIMEOUT"]).toContain(reason.code);
  }
  release();
  proxy.down = false;
  const { state } = await eventually(() => instance.engine.waitRun(CALLER, runId, 10_000, NEVER));
  expect(state).toMatchObject({ phase: "COMPLETED", output: { b: 2 } });
  const again = await eventually(() => instance.engine.startRun(CALLER, startOf("steps", { requestId: "r" }), 10_000));
  expect(again.run.state.phase).toBe("COMPLETED");
  expect(await bed.sql("SELECT 1 FROM orchestrator.runs")).toHaveLength(2);
});
