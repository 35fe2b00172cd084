/** Limits of whole runs, and of executions. */
import { expect, onTestFinished, test } from "vitest";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { EXECUTION_LABELS, EXECUTION_SOURCE } from "../../../src/base/labels.ts";
import { silentLog } from "../../../src/base/log.ts";
import { warnOfUnbound } from "../../../src/engine/runs/work/unbound-notes.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createLimitPlaces } from "../../../src/store/limits/limit-places.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { createCaller } from "./api-caller.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";
import { createFakeTools, type FakeTools } from "./fake-tools.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

/** Calls that are answered one by one. */
function createHeld(): { readonly tools: FakeTools; release(): void } {
  const waiting: (() => void)[] = [];
  const tools = createFakeTools();
  tools.answer("call", async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { ok: true, output: "done" };
  });
  return { tools, release: () => waiting.shift()?.() };
}

const oneCall: readonly JsonObject[] = [{ id: "call", type: "noop", parameters: { output: "done" } }];

const flowWith = (limit: object): JsonObject => ({
  variables: [{ name: "customer", type: "any", default: "a" }],
  workflow: { limit: { name: "runs", ...limit }, tasks: oneCall },
});

type Start = Parameters<typeof startOf>[1];

const start = async (instance: Instance, flow: string, more: Start = {}): Promise<string> =>
  (await instance.engine.startRun(CALLER, startOf(flow, more), 0)).run.state.runId;

const ended = async (instance: Instance, runId: string) =>
  (await instance.engine.waitRun(CALLER, runId, 20_000, NEVER)).state;

const slots = async () =>
  (
    await bed.sql<{ run_id: string; task_path: string; state: string }>(
      "SELECT run_id, task_path, state FROM orchestrator.limit_slots ORDER BY since, run_id",
    )
  ).map(({ run_id, task_path, state }) => `${run_id} ${task_path}${state}`);

const phaseOf = async (runId: string) => (await bed.stateOf(runId)).phase;

test("a run is QUEUED until its limit has a slot for it, and holds the slot until it ends", async () => {
  await bed.register("queued", flowWith({ max_concurrent: 1, key: "${vars.customer}" }));
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const first = await start(instance, "queued");
  await eventually(() => expect(tools.calls).toHaveLength(1));
  const second = await start(instance, "queued");
  const other = await start(instance, "queued", { input: { customer: "b" } });
  await eventually(() => expect(tools.calls).toHaveLength(2));
  expect(await phaseOf(second)).toBe("QUEUED");
  expect((await slots()).sort()).toEqual([`${first} taken`, `${second} waiting`, `${other} taken`].sort());
  release();
  await eventually(() => expect(tools.calls).toHaveLength(3));
  release();
  release();
  for (const runId of [first, second, other]) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(await slots()).toEqual([]);
});

test("runs that wait survive the death of their owner; a delayed start asks when its time has come", async () => {
  await bed.register("survives", flowWith({ max_concurrent: 2 }));
  const first = await bed.openInstance({ tools: createHeld().tools });
  const runs = await Promise.all(Array.from({ length: 12 }, () => start(first, "survives")));
  runs.push(await start(first, "survives", { startDelayMs: 500 }));
  await eventually(async () => expect((await slots()).filter((slot) => slot.endsWith("taken"))).toHaveLength(2));
  await first.crash();
  const second = await bed.openInstance();
  for (const runId of runs) expect((await ended(second, runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await slots()).toEqual([]));
});

test("a hold takes a queued run out of the line; cancel, terminate, and the run timeout end its wait", async () => {
  await bed.register("line", flowWith({ max_concurrent: 1 }));
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const first = await start(instance, "line");
  await eventually(() => expect(tools.calls).toHaveLength(1));
  const held = await start(instance, "line");
  const canceled = await start(instance, "line");
  const terminated = await start(instance, "line");
  const late = await start(instance, "line", { runTimeoutMs: 300 });
  await eventually(async () => expect(await slots()).toHaveLength(5));
  await instance.engine.pauseRun(CALLER, held, "wait");
  await instance.engine.cancelRun(CALLER, canceled, "enough", false);
  await instance.engine.terminateRun(CALLER, terminated, "enough");
  expect((await ended(instance, late)).phase).toBe("TIMED_OUT");
  expect(await slots()).toEqual([`${first} taken`]);
  release();
  expect((await ended(instance, first)).phase).toBe("COMPLETED");
  expect(await phaseOf(held)).toBe("QUEUED");
  expect(await slots()).toEqual([]);
  await instance.engine.resumeRun(CALLER, held, [], "go on");
  await eventually(() => expect(tools.calls).toHaveLength(2));
  release();
  expect((await ended(instance, held)).phase).toBe("COMPLETED");
  expect(await phaseOf(canceled)).toBe("CANCELED");
});

test("a start may name a declared limit, which goes before that of the flow; child runs have none", async () => {
  await bed.sql("INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) VALUES ('default', 'declared', 1)");
  await bed.register("child", oneCall);
  await bed.register("parent", {
    workflow: {
      limit: { name: "runs", max_concurrent: 5 },
      tasks: [{ id: "sub", type: "subflow", parameters: { flow_id: "child" } }],
    },
  });
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const limit = { name: "declared", key: "x", maxConcurrent: null, rate: null };
  const first = await start(instance, "parent", { limit });
  const second = await start(instance, "parent", { limit });
  await eventually(() => expect(tools.calls).toHaveLength(1));
  expect((await slots()).sort()).toEqual([`${first} taken`, `${second} waiting`].sort());
  release();
  await eventually(() => expect(tools.calls).toHaveLength(2));
  release();
  for (const runId of [first, second]) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
});

test("no more executions are open than the service allows; other runs are not counted", async () => {
  await bed.register("execution", oneCall);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools, maxExecutions: 1 });
  const labels = { [EXECUTION_LABELS.source]: EXECUTION_SOURCE };
  const first = await start(instance, "execution", { labels });
  const second = await start(instance, "execution", { labels });
  const other = await start(instance, "execution");
  await eventually(() => expect(tools.calls).toHaveLength(2));
  expect(await phaseOf(second)).toBe("QUEUED");
  release();
  release();
  await eventually(() => expect(tools.calls).toHaveLength(3));
  release();
  for (const runId of [first, second, other]) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(await slots()).toEqual([]);
});

test("a start over the contract names its limit, and a diagnosis says that the run waits for it", async () => {
  await bed.sql("INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) VALUES ('default', 'told', 1)");
  await bed.register("told", oneCall);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const ask = createCaller(instance.engine, bed.database);
  const runIds: string[] = [];
  for (let count = 0; count < 2; count += 1) {
    const { json } = await ask(RunService.method.startRun, { flowId: "told", limit: { name: "told", key: "x" } });
    runIds.push((JSON.parse(json) as { run: { runId: string } }).run.runId);
  }
  const [first = "", second = ""] = runIds;
  await eventually(async () => expect((await slots()).sort()).toEqual([`${first} taken`, `${second} waiting`].sort()));
  const { json } = await ask(RunService.method.diagnoseRun, { runId: second });
  expect(JSON.parse(json)).toMatchObject({
    findings: [
      {
        kind: "RUN_FINDING_KIND_LIMIT",
        message: "it waits for a slot of limit told (x): 1 of 1 slots are taken; 0 tasks go before it",
      },
    ],
  });
  for (const runId of runIds) {
    await eventually(() => expect(tools.calls.at(-1)?.runId).toBe(runId));
    release();
    expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  }
});

test("a start that names a limit which is not declared is refused; once it is declared, the start is accepted", async () => {
  await bed.register("named", oneCall);
  const instance = await bed.openInstance();
  const limit = { name: "unknown", key: "", maxConcurrent: null, rate: null };
  const refused = { code: "LIMIT_NOT_DECLARED", details: { limit: "unknown" } };
  await expect(start(instance, "named", { limit })).rejects.toMatchObject(refused);
  expect(await slots()).toEqual([]);
  await bed.sql("INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) VALUES ('default', 'unknown', 1)");
  const request = { limit, requestId: "once", requestHash: "h" };
  const runId = await start(instance, "named", request);
  expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  await bed.sql("DELETE FROM orchestrator.limits");
  await eventually(() => expect(start(instance, "named", { limit })).rejects.toMatchObject(refused));
  // The same call again gets the same answer.
  expect(await start(instance, "named", request)).toBe(runId);
});

test("those who watch are warned of runs and tasks that wait for a limit without bounds: once, and again later", async () => {
  const declare = (name: string) =>
    bed.sql("INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) VALUES ('default', $1, 1)", [name]);
  await declare("runs");
  await declare("crm");
  await bed.register("whole", flowWith({}));
  await bed.register("task", [{ ...oneCall[0], limit: { name: "crm" } } as JsonObject]);
  await bed.sql("DELETE FROM orchestrator.limits");
  const instance = await bed.openInstance();
  let looks = 0;
  const warnings = warnOfUnbound({
    ...{ runs: instance.runs, clock: instance.runtime.clock, log: silentLog, patienceMs: 0, everyMs: 20 },
    places: {
      findPlace: (...call) => {
        looks += 1;
        return createLimitPlaces(bed.database).findPlace(...call);
      },
    },
  });
  onTestFinished(() => warnings.stop());
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const watch = (runId: string): unknown[] => {
    const heard: unknown[] = [];
    void (async () => {
      for await (const frame of instance.engine.watchRun(CALLER, runId, null, stop.signal, true))
        if (frame.type === "note") heard.push([frame.view.task, "text" in frame.view.note ? frame.view.note.text : ""]);
    })();
    return heard;
  };
  const textOf = (name: string): string =>
    `limit ${name} is not declared, and the flow gives it no bound: nothing begins until it is declared`;
  const [whole, task] = [watch(await start(instance, "whole")), watch(await start(instance, "task"))];
  await eventually(() => expect([whole, task]).toEqual([[["", textOf("runs")]], [["call", textOf("crm")]]]));
  // Paused, so that the task still waits while its limit is declared.
  await bed.sql(`INSERT INTO orchestrator.limit_pauses (tenant_id, name, key, all_keys, until, since)
    VALUES ('default', 'crm', '', true, '2100-01-01T00:00:00Z', now())`);
  await declare("crm");
  // A watch that begins now is not warned, once those that are there have been looked at.
  const places = createLimitPlaces(bed.database);
  await eventually(async () => {
    const [slot] = await bed.sql<{ run_id: string }>("SELECT run_id FROM orchestrator.limit_slots WHERE name = 'crm'");
    const place = await places.findPlace("default", slot?.run_id ?? "", "call");
    expect(place?.maxConcurrent).toBe(1);
  });
  const looked = looks;
  await eventually(() => expect(looks).toBeGreaterThan(looked + 2));
  await bed.sql("DELETE FROM orchestrator.limits");
  await eventually(() => expect(task).toHaveLength(2));
  expect(whole).toHaveLength(1);
});
