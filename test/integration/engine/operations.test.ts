/** Operations on the shard runtime: durable, resumed by the next owner, each run changed once. */
import { expect, test } from "vitest";
import { toError } from "../../../src/base/errors.ts";
import type { OperationRequest, OperationTarget, RunActions } from "../../../src/engine/ports/operations.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();
const NEVER = new AbortController().signal;

const ALL: OperationTarget = {
  type: "filter",
  text: 'flow_id == "gate"',
  filter: { op: "==", field: { name: "flow_id" }, value: "gate" },
};

function terminate(target: OperationTarget, requestId = "", requestHash = "h"): OperationRequest {
  return { action: { type: "terminate", reason: "clean up" }, target, requestId, requestHash };
}

async function startRuns(instance: Instance, count: number): Promise<string[]> {
  await bed.register("gate", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  const requests = Array.from({ length: count }, () => startOf("gate"));
  const results = await instance.engine.startRuns(CALLER, requests, 0);
  return results.map((result) => {
    if (result instanceof Error) throw result;
    return result.run.state.runId;
  });
}

/** How often each run was terminated, by what its journal holds. */
async function timesTerminated(runIds: readonly string[]): Promise<Set<number>> {
  const times = new Set<number>();
  for (const runId of runIds) {
    const records = await bed.recordsOf(runId);
    times.add(records.filter(({ type }) => type === "run.terminated").length);
  }
  return times;
}

test("an operation takes the runs that were there before it, once each, and keeps count", async () => {
  const instance = await bed.openInstance();
  const { operations } = instance;
  const runIds = await startRuns(instance, 450);
  const started = await operations.startOperation(CALLER, terminate(ALL));
  expect(started).toMatchObject({ matched: 450, by: "tester", filter: ALL.text });
  const ended = await operations.waitOperation(CALLER, started.operationId, 30_000, NEVER);
  expect(ended).toMatchObject({ state: "COMPLETED", matched: 450, done: 450, failed: 0, failures: [] });
  expect(await timesTerminated(runIds)).toEqual(new Set([1]));
  expect(await operations.listOperations(CALLER, null, 10)).toEqual([ended]);
  const stranger = { tenantId: "other", actor: "" };
  await expect(operations.getOperation(stranger, started.operationId)).rejects.toMatchObject({
    code: "OPERATION_NOT_FOUND",
  });
});

test("the same request id answers the same operation, also after its end; another body is refused", async () => {
  const instance = await bed.openInstance();
  const [runId = ""] = await startRuns(instance, 1);
  const { operations } = instance;
  const target = { type: "runs", runIds: [runId] } as const;
  const twice = await Promise.all([
    operations.startOperation(CALLER, terminate(target, "r1")),
    operations.startOperation(CALLER, terminate(target, "r1")),
  ]);
  const [{ operationId }] = twice;
  expect(twice[1].operationId).toBe(operationId);
  await operations.waitOperation(CALLER, operationId, 10_000, NEVER);
  expect(await operations.startOperation(CALLER, terminate(target, "r1"))).toMatchObject({
    operationId,
    state: "COMPLETED",
    done: 1,
  });
  await expect(operations.startOperation(CALLER, terminate(target, "r1", "other"))).rejects.toMatchObject({
    code: "REQUEST_ID_REUSED",
  });
});

test("runs that cannot be changed are counted, with the reasons of the first ones", async () => {
  const instance = await bed.openInstance();
  const [runId = ""] = await startRuns(instance, 1);
  const target = { type: "runs", runIds: ["nobody", runId] } as const;
  const { operationId } = await instance.operations.startOperation(CALLER, terminate(target));
  const ended = await instance.operations.waitOperation(CALLER, operationId, 10_000, NEVER);
  expect(ended).toMatchObject({ state: "COMPLETED", matched: 2, done: 1, failed: 1 });
  expect(ended.failures).toEqual([expect.objectContaining({ runId: "nobody", code: "RUN_NOT_FOUND" })]);
});

test("a canceled operation finishes what is under way and leaves the other runs alone", async () => {
  let calls = 0;
  const gate = Promise.withResolvers<void>();
  const wrapActions = (actions: RunActions): RunActions => ({
    apply: async (...call) => {
      calls += 1;
      await gate.promise;
      return actions.apply(...call);
    },
  });
  const instance = await bed.openInstance({ wrapActions });
  const { operations } = instance;
  const runIds = await startRuns(instance, 300);
  const { operationId } = await operations.startOperation(CALLER, terminate(ALL));
  await eventually(() => expect(calls).toBe(16));
  expect(await operations.cancelOperation(CALLER, operationId)).toMatchObject({ state: "CANCELING" });
  gate.resolve();
  const ended = await operations.waitOperation(CALLER, operationId, 10_000, NEVER);
  expect(ended).toMatchObject({ state: "CANCELED", done: 16, failed: 0 });
  expect(await timesTerminated(runIds)).toEqual(new Set([0, 1]));
  expect(await operations.cancelOperation(CALLER, operationId)).toEqual(ended);
});

test("the next owner goes on where the one before died, and no run is changed twice", async () => {
  let calls = 0;
  const wrapActions = (actions: RunActions): RunActions => ({
    apply: (...call) => {
      calls += 1;
      // The second page stands still half way.
      return calls > 290 ? new Promise(() => {}) : actions.apply(...call);
    },
  });
  const first = await bed.openInstance({ wrapActions });
  const runIds = await startRuns(first, 450);
  const { operationId } = await first.operations.startOperation(CALLER, terminate(ALL));
  await eventually(() => expect(calls).toBeGreaterThan(290));
  await eventually(async () =>
    expect(await first.operations.getOperation(CALLER, operationId)).toMatchObject({ done: 200, state: "RUNNING" }),
  );
  await first.crash();
  const second = await bed.openInstance();
  const ended = await second.operations.waitOperation(CALLER, operationId, 30_000, NEVER);
  expect(ended).toMatchObject({ state: "COMPLETED", done: 450, failed: 0 });
  expect(await timesTerminated(runIds)).toEqual(new Set([1]));
});

test("a call on a run that says it may be retried is retried", async () => {
  let calls = 0;
  const wrapActions = (actions: RunActions): RunActions => ({
    apply: async (...call) => {
      calls += 1;
      if (calls === 1) throw toError("RUN_MOVED", { runId: call[2] });
      return actions.apply(...call);
    },
  });
  const instance = await bed.openInstance({ wrapActions });
  const [runId = ""] = await startRuns(instance, 1);
  const target = { type: "runs", runIds: [runId] } as const;
  const { operationId } = await instance.operations.startOperation(CALLER, terminate(target));
  const ended = await instance.operations.waitOperation(CALLER, operationId, 10_000, NEVER);
  expect(ended).toMatchObject({ state: "COMPLETED", done: 1, failed: 0 });
  expect(calls).toBe(2);
});

// Cause: each operation changed 16 runs at once, so a hundred operations kept callers from the database.
test("operations of an instance share how many runs they change at once", async () => {
  let now = 0;
  let most = 0;
  const wrapActions = (actions: RunActions): RunActions => ({
    apply: async (...call) => {
      now += 1;
      most = Math.max(most, now);
      await actions.apply(...call).finally(() => {
        now -= 1;
      });
    },
  });
  const instance = await bed.openInstance({ wrapActions });
  await startRuns(instance, 60);
  const { operations } = instance;
  const started = await Promise.all(
    Array.from({ length: 10 }, () => operations.startOperation(CALLER, terminate(ALL))),
  );
  for (const { operationId } of started)
    expect(await operations.waitOperation(CALLER, operationId, 30_000, NEVER)).toMatchObject({
      state: "COMPLETED",
      failed: 0,
    });
  expect(most).toBeLessThanOrEqual(24);
});
