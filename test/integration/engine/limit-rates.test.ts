/** Rates, pauses, and declared bounds of limits. */
import { expect, test } from "vitest";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { createCaller } from "./api-caller.ts";
import { CALLER, createBed } from "./bed.ts";
import { createFakeTools, type FakeTools } from "./fake-tools.ts";
import { connectWorker } from "./fake-worker.ts";
import { ended, limited, slotsOf, start, startMany } from "./limit-bed.ts";

const bed = createBed();

const slots = () => slotsOf(bed);

const statesOf = async () => (await slots()).map(({ state }) => state).sort();

/** Registers a flow that relies on the declaration of this limit, which is gone afterwards. */
async function registerUnbound(flow: string, tasks: readonly JsonObject[], name = "crm"): Promise<void> {
  await bed.sql("INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) VALUES ('default', $1, 1)", [name]);
  await bed.register(flow, tasks);
  await bed.sql("DELETE FROM orchestrator.limits");
}

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

test("a rate lets so many begin at once, and then one after the other", async () => {
  await bed.register("rated", [limited({ rate: { count: 3, per: "3s" } })]);
  const instance = await bed.openInstance();
  const began = performance.now();
  const runs = await startMany(instance, "rated", 5);
  for (const runId of runs) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  // Three at once, the fourth after a second, the fifth after two.
  expect(performance.now() - began).toBeGreaterThan(1_900);
  const at = [];
  for (const runId of runs) at.push((await bed.stateOf(runId)).tasks.get("call")?.startedAt ?? 0);
  at.sort((a, b) => a - b);
  const [first = 0, , third = 0, fourth = 0, fifth = 0] = at;
  expect(third - first).toBeLessThan(900);
  expect(fourth - first).toBeGreaterThan(900);
  // One that was late, on a busy machine, takes nothing from the next one.
  expect(fifth - first).toBeGreaterThan(1_900);
  expect(await slots()).toEqual([]);
});

test("what is left of a rate survives its owner", async () => {
  await bed.register("spent", [limited({ rate: { count: 2, per: "1h" } })]);
  const first = await bed.openInstance();
  for (const runId of await startMany(first, "spent", 2)) await ended(first, runId);
  await first.crash();
  const second = await bed.openInstance();
  await start(second, "spent");
  await eventually(async () => expect(await statesOf()).toEqual(["waiting"]));
  // Its line has been looked at when the one that came after it is through.
  await bed.register("free", [limited({ name: "free", max_concurrent: 1 })]);
  await ended(second, await start(second, "free"));
  const [rate] = await bed.sql<{ tokens: number }>("SELECT tokens FROM orchestrator.limit_rates");
  expect(rate?.tokens).toBeLessThan(0.1);
  expect(second.tools.calls.map(({ flowId }) => flowId)).toEqual(["free"]);
});

test("a limit that a service told to come back later gives out nothing until then, to anybody", async () => {
  await bed.register("busy", [
    {
      ...limited({ max_concurrent: 5 }, { retry_policy: { max_retries: 3, initial_delay: "10ms" } }),
      type: "http",
      parameters: { url: "https://crm.example/" },
    },
  ]);
  const tools = createFakeTools();
  let isBusy = true;
  const calledAt: number[] = [];
  tools.answer("call", () => {
    calledAt.push(performance.now());
    if (!isBusy) return { ok: true, output: "done" };
    isBusy = false;
    const error = { type: "TOO_MANY_REQUESTS", message: "slow down", retryable: true, nextRetryDelayMs: 1_500 };
    return { ok: false, error };
  });
  const instance = await bed.openInstance({ tools });
  const told = await start(instance, "busy");
  await eventually(async () => expect((await bed.stateOf(told)).tasks.get("call")?.state).toBe("RETRYING"));
  const [pause] = await bed.sql<{ reason: string; run_id: string; key: string }>(
    "SELECT reason, run_id, key FROM orchestrator.limit_pauses",
  );
  expect(pause).toEqual({ reason: "TOO_MANY_REQUESTS: slow down", run_id: told, key: "" });
  const other = await start(instance, "busy");
  await eventually(async () => expect(await statesOf()).toEqual(["waiting"]));
  for (const runId of [told, other]) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  expect(calledAt).toHaveLength(3);
  expect((calledAt[1] ?? 0) - (calledAt[0] ?? 0)).toBeGreaterThan(1_400);
});

test("two runs that are told to come back later in one batch pause their limit once, until the later time", async () => {
  await bed.register("both", [
    {
      ...limited({ max_concurrent: 50 }, { retry_policy: { max_retries: 1 } }),
      type: "http",
      parameters: { url: "https://crm.example/" },
    },
  ]);
  const tools = createFakeTools();
  let delay = 60_000;
  const { promise, resolve } = Promise.withResolvers<void>();
  tools.answer("call", async () => {
    delay += 1_000;
    const nextRetryDelayMs = delay;
    await promise;
    return { ok: false, error: { type: "SERVICE_UNAVAILABLE", message: "", retryable: true, nextRetryDelayMs } };
  });
  const instance = await bed.openInstance({ tools });
  const runs = await startMany(instance, "both", 20);
  await eventually(() => expect(tools.calls).toHaveLength(20));
  resolve();
  for (const runId of runs)
    await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("call")?.state).toBe("RETRYING"));
  const pauses = await bed.sql<{ ms: number }>(
    "SELECT (extract(epoch FROM until - since) * 1000)::float8 AS ms FROM orchestrator.limit_pauses",
  );
  expect(pauses).toEqual([{ ms: 80_000 }]);
});

test("a delay that a worker asks for is about its task, and pauses nobody", async () => {
  await bed.register("asked", [
    {
      ...limited({ max_concurrent: 1 }, { retry_policy: { max_retries: 1 } }),
      type: "worker",
      parameters: { handler: "work" },
    },
  ]);
  const instance = await bed.openInstance();
  const error = { type: "TOO_MANY_REQUESTS", message: "", retryable: true, nextRetryDelayMs: 60_000 };
  connectWorker(instance, {}, (worker, { token }) => {
    void worker.report(token, { type: "ended", outcome: { ok: false, error } });
  });
  const runId = await start(instance, "asked");
  await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("call")?.state).toBe("RETRYING"));
  expect(await bed.sql("SELECT name FROM orchestrator.limit_pauses")).toEqual([]);
});

test("bounds that are declared go before those in the flow, and without any bound nothing begins", async () => {
  await bed.register("declared", [limited({ max_concurrent: 5 })]);
  await bed.sql("INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) VALUES ('default', 'crm', 1)");
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const runs = await startMany(instance, "declared", 2);
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting"]));
  release();
  await eventually(() => expect(tools.calls).toHaveLength(2));
  await bed.sql("UPDATE orchestrator.limits SET max_concurrent = NULL");
  const stuck = await start(instance, "declared");
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting"]));
  release();
  for (const runId of runs) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await statesOf()).toEqual(["waiting"]));
  await bed.sql("DELETE FROM orchestrator.limits");
  await eventually(() => expect(tools.calls).toHaveLength(3));
  release();
  expect((await ended(instance, stuck)).phase).toBe("COMPLETED");
});

// Cause: one flow that named a limit and stated no bounds stood first in its line forever, and nobody got a slot.
test("a task without any bound waits, and those behind it that have bounds go on", async () => {
  await registerUnbound("unbound", [limited({})]);
  await bed.register("bound", [limited({ max_concurrent: 1 })]);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const ask = createCaller(instance.engine, bed.database);
  const stuck = await startMany(instance, "unbound", 3);
  await eventually(async () => expect(await statesOf()).toEqual(["waiting", "waiting", "waiting"]));
  const runs = [await start(instance, "bound")];
  await eventually(() => expect(tools.calls.map(({ flowId }) => flowId)).toEqual(["bound"]));
  const behind = await start(instance, "bound");
  runs.push(behind);
  await eventually(async () => expect(await statesOf()).toHaveLength(5));
  const { json } = await ask(RunService.method.diagnoseRun, { runId: behind });
  expect(json).toContain("1 of 1 slots are taken; 0 tasks go before it");
  for (const runId of runs) {
    await eventually(() => expect(tools.calls).toHaveLength(runs.indexOf(runId) + 1));
    release();
    expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  }
  await eventually(async () => expect(await statesOf()).toEqual(["waiting", "waiting", "waiting"]));
  // A declaration bounds them, too.
  await bed.sql("INSERT INTO orchestrator.limits (tenant_id, name, max_concurrent) VALUES ('default', 'crm', 5)");
  await eventually(() => expect(tools.calls).toHaveLength(5));
  for (const _ of stuck) release();
  for (const runId of stuck) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
});

test("a diagnosis says what a limited task waits for, and which call moves it", async () => {
  await bed.register("asked", [limited({ max_concurrent: 1 })]);
  await registerUnbound("unbound", [limited({ name: "other" })], "other");
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const ask = createCaller(instance.engine, bed.database);
  const findings = async (runId: string) => {
    const { json } = await ask(RunService.method.diagnoseRun, { runId });
    return (JSON.parse(json) as { findings: { kind: string; message: string; method: string }[] }).findings;
  };
  const [first = "", second = "", third = ""] = [
    await start(instance, "asked"),
    await start(instance, "asked"),
    await start(instance, "asked"),
  ];
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting", "waiting"]));
  expect(await findings(third)).toMatchObject([
    {
      kind: "RUN_FINDING_KIND_LIMIT",
      message: "it waits for a slot of limit crm: 1 of 1 slots are taken; 1 tasks go before it",
    },
  ]);
  await bed.sql(`INSERT INTO orchestrator.limit_pauses (tenant_id, name, key, all_keys, until, since, actor, reason)
    VALUES ('default', 'crm', '', true, '2100-01-01T00:00:00Z', now(), 'ann', 'it is down')`);
  expect(await findings(third)).toMatchObject([
    {
      kind: "RUN_FINDING_KIND_LIMIT_PAUSED",
      message: "limit crm gives out nothing until 2100-01-01T00:00:00.000Z, by ann: it is down",
      method: "LimitService.ResumeLimit",
    },
  ]);
  await bed.sql("DELETE FROM orchestrator.limit_pauses");
  const unbound = await start(instance, "unbound");
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting", "waiting", "waiting"]));
  expect((await findings(unbound))[0]?.message).toBe(
    "limit other is not declared, and the flow gives it no bound: nothing begins",
  );
  await instance.engine.terminateRun(CALLER, unbound, "enough");
  for (const runId of [first, second, third]) {
    release();
    expect((await ended(instance, runId)).phase).toBe("COMPLETED");
    await eventually(() => expect(tools.calls.length).toBe(runId === first ? 2 : 3));
  }
});
