/** Operations are removed a time after their end, in batches, and leave nothing behind. */
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import type { OperationAction, OperationRequest } from "../../../src/engine/ports/operations.ts";
import { keepRecentOperations, removeOldOperations } from "../../../src/store/operations/operation-retention.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();
const NEVER = new AbortController().signal;
const DAY_MS = 86_400_000;

async function startRun(instance: Instance): Promise<string> {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const [started] = await instance.engine.startRuns(CALLER, [startOf("gate")], 0);
  if (started === undefined || started instanceof Error) throw started;
  return started.run.state.runId;
}

const requestOf = (action: OperationAction, runId: string, requestId: string): OperationRequest => ({
  ...{ action, requestId, requestHash: "h" },
  target: { type: "runs", runIds: [runId] },
});

const age = (operationId: string, column: string) =>
  bed.sql(`UPDATE orchestrator.operations SET ${column} = ${column} - interval '31 days' WHERE operation_id = $1`, [
    operationId,
  ]);

const journalOf = async (operationId: string) =>
  (await bed.sql("SELECT 1 FROM orchestrator.journal WHERE run_id = $1", [operationId])).length;

test("an operation that ended long ago is removed with its journal; recent and open ones stay", async () => {
  const instance = await bed.openInstance({
    // The call for the last run never ends.
    wrapActions: (actions) => ({
      apply: (caller, action, runId, ...rest) =>
        runId === "never" ? new Promise(() => {}) : actions.apply(caller, action, runId, ...rest),
    }),
  });
  const { operations } = instance;
  const runId = await startRun(instance);
  const start = async (id: string, run: string) =>
    (await operations.startOperation(CALLER, requestOf({ type: "terminate", reason: "" }, run, id))).operationId;
  const [old, recent, open] = [await start("old", runId), await start("recent", runId), await start("open", "never")];
  for (const id of [old, recent]) await operations.waitOperation(CALLER, id, 10_000, NEVER);
  await age(old, "ended_at");
  await age(open, "created_at");
  expect(await removeOldOperations(bed.database, 30 * DAY_MS)).toBe(1);
  await expect(operations.getOperation(CALLER, old)).rejects.toMatchObject({ code: "OPERATION_NOT_FOUND" });
  await expect(operations.cancelOperation(CALLER, old)).rejects.toMatchObject({ code: "OPERATION_NOT_FOUND" });
  expect((await operations.listOperations(CALLER, null, 10)).map(({ operationId }) => operationId).sort()).toEqual(
    [recent, open].sort(),
  );
  expect([await journalOf(old), await journalOf(recent), await journalOf(open)]).toEqual([0, 2, 1]);
});

// Cause: runs remember the request ids of calls, and that of an operation was made of its id alone: the second
// operation with a request id found its runs changed by the first.
test("the request id of a removed operation starts a new one, which changes the same runs again", async () => {
  const instance = await bed.openInstance();
  const { operations, engine } = instance;
  const runId = await startRun(instance);
  const request = requestOf({ type: "resume", reason: "", holds: ["operator"] }, runId, "nightly");
  for (let round = 1; round <= 2; round += 1) {
    await engine.pauseRun(CALLER, runId, "a look at it");
    const { operationId } = await operations.startOperation(CALLER, request);
    expect(await operations.waitOperation(CALLER, operationId, 10_000, NEVER)).toMatchObject({ done: 1, failed: 0 });
    expect((await engine.getRun(CALLER, runId)).state.holds).toEqual([]);
    await age(operationId, "ended_at");
    expect(await removeOldOperations(bed.database, 30 * DAY_MS)).toBe(1);
  }
});

test("many are removed in batches, by several instances at once, each by one of them", async () => {
  await bed.sql(
    `INSERT INTO orchestrator.operations (operation_id, shard, run_day, tenant_id, state, action, filter, matched, done, failed, failures, problem,
      created_by, created_at, updated_at, ended_at)
    SELECT 'op~' || n, 0, 1, 'default', 'COMPLETED', '{}', '', 0, 0, 0, '[]', '', '', now(), now(), now() - interval '2 days' FROM generate_series(1, 1700) n`,
  );
  const removed = await Promise.all([1, 2, 3].map(() => removeOldOperations(bed.database, DAY_MS)));
  // What another one has locked is left to it.
  expect(removed.reduce((sum, one) => sum + one)).toBe(1_700);
  expect(await bed.sql("SELECT 1 FROM orchestrator.operations")).toEqual([]);
});

test("the service removes them from time to time, and a stop waits for the look under way", async () => {
  const instance = await bed.openInstance();
  const request = requestOf({ type: "terminate", reason: "" }, await startRun(instance), "");
  const { operationId } = await instance.operations.startOperation(CALLER, request);
  await instance.operations.waitOperation(CALLER, operationId, 10_000, NEVER);
  const kept = keepRecentOperations(bed.database, 0, silentLog);
  await kept.stop();
  expect(await journalOf(operationId)).toBe(2);
  const retention = keepRecentOperations(bed.database, 1, silentLog);
  await eventually(async () => expect(await journalOf(operationId)).toBe(0));
  await retention.stop();
});
