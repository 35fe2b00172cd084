/**
 * Starts that may happen once: the same key from many callers, in one batch, over two connections and on two instances.
 */
import { expect, onTestFinished, test } from "vitest";
import type { StartRequest, StartResult } from "../../../src/engine/ports/run-control.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, SHARDS } from "./bed.ts";

const bed = createBed();

const CALLERS = 50;

async function openTwo(): Promise<[Instance, Instance]> {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  await bed.register("other", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const first = await bed.openInstance({ ttlMs: 600 });
  const second = await bed.openInstance({ ttlMs: 600 });
  await eventually(() => {
    expect(first.runtime.shards.owned).toHaveLength(SHARDS / 2);
    expect(second.runtime.shards.owned).toHaveLength(SHARDS / 2);
  });
  return [first, second];
}

/** Starts from all callers at once, each sent again while it is answered UNAVAILABLE, as clients do. */
function startEverywhere(
  instances: readonly Instance[],
  requestOf: (index: number) => StartRequest,
): Promise<(StartResult | Error)[]> {
  return Promise.all(
    Array.from({ length: CALLERS }, async (_, index) => {
      for (let turn = index; ; turn += 1) {
        const instance = instances[turn % instances.length] as Instance;
        try {
          return await instance.engine.startRun(CALLER, requestOf(index), 0);
        } catch (error) {
          if ((error as { grpc?: string }).grpc !== "UNAVAILABLE" || turn > index + 20) return error as Error;
        }
      }
    }),
  );
}

const runIdsOf = (results: readonly (StartResult | Error)[]): string[] =>
  results.flatMap((result) => (result instanceof Error ? [] : [result.run.state.runId]));
const errorsOf = (results: readonly (StartResult | Error)[]): unknown[] =>
  results.flatMap((result) => (result instanceof Error ? [(result as { code?: string }).code ?? result] : []));
const countRuns = async (): Promise<number> => (await bed.sql("SELECT 1 FROM orchestrator.runs")).length;

test("the same request id 50 times at once on two instances is one run, and everybody gets it", async () => {
  const instances = await openTwo();
  const results = await startEverywhere(instances, () => startOf("gate", { requestId: "r", requestHash: "h" }));
  // The instance that does not own the run cannot show it; who asked there is told to ask again.
  expect(errorsOf(results)).toEqual([]);
  expect(new Set(runIdsOf(results)).size).toBe(1);
  // A repeated call is answered as the first one was.
  expect(results.filter((result) => !(result instanceof Error) && result.started)).toHaveLength(CALLERS);
  expect(await countRuns()).toBe(1);
});

test("the same request id with another body is refused, whoever was first", async () => {
  const instances = await openTwo();
  const results = await startEverywhere(instances, (index) =>
    startOf("gate", { requestId: "r", requestHash: `h${index % 2}` }),
  );
  expect(new Set(errorsOf(results))).toEqual(new Set(["REQUEST_ID_REUSED"]));
  expect(errorsOf(results)).toHaveLength(CALLERS / 2);
  expect(new Set(runIdsOf(results)).size).toBe(1);
  expect(await countRuns()).toBe(1);
});

test("the same run id 50 times at once is one run; the others are told that it exists", async () => {
  const instances = await openTwo();
  const results = await startEverywhere(instances, () => startOf("gate", { runId: "mine" }));
  expect(runIdsOf(results)).toEqual(["mine"]);
  expect(errorsOf(results)).toEqual(Array.from({ length: CALLERS - 1 }, () => "RUN_ALREADY_EXISTS"));
  expect(await countRuns()).toBe(1);
});

test("run_key with reject: one open run, the others hear which", async () => {
  const instances = await openTwo();
  const results = await startEverywhere(instances, () => startOf("gate", { runKey: "k" }));
  expect(runIdsOf(results)).toHaveLength(1);
  expect(errorsOf(results)).toEqual(Array.from({ length: CALLERS - 1 }, () => "RUN_KEY_OPEN"));
  expect(await countRuns()).toBe(1);
});

test("run_key with return_existing: one open run, everybody gets it", async () => {
  const instances = await openTwo();
  const results = await startEverywhere(instances, () =>
    startOf("gate", { runKey: "k", runKeyPolicy: "return_existing" }),
  );
  expect(errorsOf(results)).toEqual([]);
  expect(new Set(runIdsOf(results)).size).toBe(1);
  expect(await countRuns()).toBe(1);
});

test("run_key with terminate_and_start: every caller gets a run of its own, one is open in the end", async () => {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const instance = await bed.openInstance();
  const results = await startEverywhere([instance], () =>
    startOf("gate", { runKey: "k", runKeyPolicy: "terminate_and_start" }),
  );
  expect(errorsOf(results)).toEqual([]);
  expect(new Set(runIdsOf(results)).size).toBe(CALLERS);
  const states = await bed.sql("SELECT state, count(*) AS count FROM orchestrator.runs GROUP BY state ORDER BY state");
  expect(states).toEqual([
    { state: "TERMINATED", count: CALLERS - 1 },
    { state: "WAITING", count: 1 },
  ]);
});

test("a run_key is free again when its run has ended, and is another one for another flow", async () => {
  await bed.register("other", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  const first = await instance.engine.startRun(CALLER, startOf("one", { runKey: "k" }), 10_000);
  expect(first.run.state.phase).toBe("COMPLETED");
  expect((await instance.engine.startRun(CALLER, startOf("one", { runKey: "k" }), 10_000)).started).toBe(true);
  expect((await instance.engine.startRun(CALLER, startOf("other", { runKey: "k" }), 0)).started).toBe(true);
  const foreign = { tenantId: "elsewhere", actor: "" };
  await expect(instance.engine.startRun(foreign, startOf("other", { runKey: "k" }), 0)).rejects.toMatchObject({
    code: "FLOW_NOT_FOUND",
  });
});

test("another request for a run id that exists is refused, not answered with that run", async () => {
  const [instance] = await openTwo();
  const shardOwner = async (request: StartRequest) =>
    eventually(() =>
      instance.engine.startRun(CALLER, request, 0).catch((error: { code?: string }) => {
        if (error.code === "RUN_MOVED") throw error;
        return error;
      }),
    );
  let runId = "";
  for (let index = 0; runId === ""; index += 1) {
    const result = await instance.engine
      .startRun(CALLER, startOf("gate", { runId: `mine-${index}`, requestId: `a-${index}`, requestHash: "ha" }), 0)
      .catch(() => null);
    if (result !== null) runId = `mine-${index}`;
  }
  // Evicted: the collision shows in the store alone.
  for (const resident of [...instance.runs.residence.residents.values()]) instance.runs.residence.drop(resident);
  const other = startOf("gate", { runId, requestId: "b", requestHash: "hb", input: {} });
  // Twice: what the first refusal leaves behind must not make the second one a success.
  expect(await shardOwner(other)).toMatchObject({ code: "RUN_ALREADY_EXISTS" });
  expect(await shardOwner(other)).toMatchObject({ code: "RUN_ALREADY_EXISTS" });
  // The request id was never used for a run, so it may be.
  expect(await shardOwner(startOf("gate", { requestId: "b", requestHash: "hc" }))).toMatchObject({ started: true });
});

test("a run id of another tenant is taken, and nothing is said about the run", async () => {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }], "elsewhere");
  const instance = await bed.openInstance();
  await instance.engine.startRun(CALLER, startOf("gate", { runId: "mine" }), 0);
  for (const resident of [...instance.runs.residence.residents.values()]) instance.runs.residence.drop(resident);
  const foreign = { tenantId: "elsewhere", actor: "" };
  for (const requestId of ["", "r", "r"]) {
    const refused = instance.engine.startRun(foreign, startOf("gate", { runId: "mine", requestId }), 0);
    await expect(refused).rejects.toMatchObject({ code: "RUN_ALREADY_EXISTS" });
  }
  await expect(instance.engine.getRun(foreign, "mine")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

test("batches that start the same run keys in opposite order do not lock each other out", async () => {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const instance = await bed.openInstance({ commitConnections: 2 });
  // Slow enough that two batches are in flight at the same time.
  await bed.sql(
    `CREATE OR REPLACE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.002); RETURN NULL; END $$`,
  );
  await bed.sql(
    "CREATE TRIGGER planted AFTER INSERT ON orchestrator.runs FOR EACH ROW EXECUTE FUNCTION public.planted()",
  );
  onTestFinished(async () => void (await bed.sql("DROP TRIGGER planted ON orchestrator.runs")));
  const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);
  for (let round = 0; round < 5; round += 1) {
    const start = (names: readonly string[]) => {
      const requests = names.map((key) =>
        startOf("gate", { runKey: `${round}-${key}`, runKeyPolicy: "return_existing" }),
      );
      return instance.engine.startRuns(CALLER, requests, 0);
    };
    const sent = instance.journal.batches.length;
    const first = start(keys);
    await eventually(() => expect(instance.journal.batches.length).toBeGreaterThan(sent));
    const results = (await Promise.all([first, start(keys.toReversed())])).flat();
    expect(errorsOf(results)).toEqual([]);
    expect(new Set(runIdsOf(results)).size).toBe(keys.length);
  }
});

// A key whose run was not there any more was taken for garbage of a refused start and dropped: after retention the same
// request started a second run.
test("a request id and a run id stay taken when their run has been removed from the store", async () => {
  await bed.register("one", [{ id: "a", type: "noop" }]);
  const instance = await bed.openInstance();
  const requests = [startOf("one", { requestId: "r", requestHash: "h" }), startOf("one", { runId: "mine" })];
  for (const request of requests) await instance.engine.startRun(CALLER, request, 10_000);
  await bed.sql("DELETE FROM orchestrator.journal");
  await bed.sql("DELETE FROM orchestrator.runs");
  const results = await instance.engine.startRuns(CALLER, requests, 0);
  expect(errorsOf(results)).toEqual(["RUN_NOT_FOUND", "RUN_ALREADY_EXISTS"]);
  expect(await countRuns()).toBe(0);
});

test("what refused starts leave behind is marked, and is gone when their callers have been answered", async () => {
  const [instance] = await openTwo();
  await startEverywhere([instance], (index) =>
    startOf("gate", { requestId: `r${index}`, runKey: "k", runKeyPolicy: "return_existing" }),
  );
  expect(await countRuns()).toBe(1);
  expect(await bed.sql("SELECT 1 FROM orchestrator.void_starts")).toEqual([]);
  expect(await bed.sql("SELECT DISTINCT run_id FROM orchestrator.starts")).toHaveLength(1);
});
