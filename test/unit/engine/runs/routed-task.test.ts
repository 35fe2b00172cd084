import { describe, expect, test } from "vitest";
import { fail } from "../../../../src/base/errors.ts";
import { silentLog } from "../../../../src/base/log.ts";
import type { Run } from "../../../../src/engine/machine/run.ts";
import { createState, type RunState, type TaskState } from "../../../../src/engine/machine/state.ts";
import { pruneRoutedHistory } from "../../../../src/engine/runs/routed/routed-history.ts";
import { routedTaskOf } from "../../../../src/engine/runs/routed/routed-task.ts";
import { createRoutingCounts } from "../../../../src/engine/runs/routed/routing-counts.ts";

const VARS = { service: "billing", method: "GET", path: "/x", target_url: "http://billing/x" };

function stateOf(more: Partial<RunState>, call?: Partial<TaskState>): RunState {
  const state = Object.assign(createState("id"), { flowId: "orchestrator-route", vars: VARS, createdAt: 1_000 }, more);
  if (call !== undefined) state.tasks.set("call", { error: null, attempt: 1, ...call } as TaskState);
  return state;
}

const error = (type: string) => ({ type, message: "m", retryable: true });
const ended = { phase: "COMPLETED", endedAt: 1_250 } as const;

describe("a routed task", () => {
  test.each([
    [
      "is pending while its run is open",
      {},
      { attempt: 2, error: error("TIMEOUT") },
      { state: "PENDING", retryCount: 1 },
    ],
    ["has not been called yet", {}, undefined, { state: "PENDING", targetUrl: "http://billing/x", retryCount: 0 }],
    [
      "succeeds with 2xx, wherever the answer came from",
      ended,
      { output: { status: 204, url: "http://billing/y", body: null } },
      { state: "SUCCESS", responseStatus: 204, targetUrl: "http://billing/y" },
    ],
    ["is an error with 4xx", ended, { output: { status: 429, url: "u" } }, { state: "ERROR", responseStatus: 429 }],
    [
      "is an error with 5xx, whose status is known",
      ended,
      { error: error("SERVICE_UNAVAILABLE"), attempt: 4 },
      { state: "ERROR", responseStatus: 503, retryCount: 3 },
    ],
    [
      "is an error without an answer",
      ended,
      { error: error("CONNECTION_REFUSED") },
      { state: "ERROR", responseStatus: 0 },
    ],
    ["is late", ended, { error: error("TIMEOUT"), state: "FAILED" }, { state: "TIMEOUT", responseStatus: 0 }],
    ["is canceled", { phase: "CANCELED", endedAt: 1_100 }, { state: "CANCELED" }, { state: "ERROR", endedAt: 1_100 }],
  ] as const)("%s", (_name, run, call, expected) => {
    expect(routedTaskOf(stateOf(run as Partial<RunState>, call as Partial<TaskState> | undefined))).toMatchObject(
      expected,
    );
  });
});

test("counts are of tasks that have ended, percentiles of the newest", () => {
  const { observer, read } = createRoutingCounts(4, { now: () => 5_000, monotonic: () => 0 } as never);
  const note = (state: RunState, type: string): void =>
    observer.committed({ state } as Run, [{ type, at: 1 } as never], 1);
  expect(read()).toMatchObject({ success: 0, averageMs: null, p95Ms: null, since: 5_000 });
  const answer = { output: { status: 200, url: "u" } };
  for (const ms of [900, 10, 20, 30, 40])
    note(stateOf({ ...ended, endedAt: 1_000 + ms }, ms === 10 ? { ...answer, attempt: 3 } : answer), "run.completed");
  note(stateOf({}, {}), "run.started");
  note(stateOf({ ...ended, flowId: "mine" }, answer), "run.completed");
  expect(read()).toMatchObject({
    success: 5,
    error: 0,
    retries: 2,
    retriedSuccess: 1,
    averageMs: 200,
    p95Ms: 40,
    p99Ms: 40,
  });
  note(stateOf(ended, { error: error("TIMEOUT"), attempt: 4 }), "run.completed");
  expect(read()).toMatchObject({ timeout: 1, retries: 5, retriedFailure: 1 });
});

test("what nobody keeps is deleted, page after page; a failure keeps no other task", async () => {
  const deleted: string[] = [];
  const asked: unknown[][] = [];
  const full = Array.from({ length: 1_000 }, (_, index) => `old-${index}`);
  const pages = [full, ["gone", "broken", "a", "b"], ["never read"]];
  await pruneRoutedHistory({
    history: {
      listOld: async (...call) => {
        asked.push(call);
        return (pages.shift() ?? []).map((taskId) => ({ taskId, tenantId: "t" }));
      },
    },
    control: {
      deleteRun: async ({ tenantId }, runId) => {
        if (runId === "gone") fail("RUN_DELETED", { runId, deletedAt: "" });
        if (runId === "broken") throw new Error("broken");
        return deleted.push(`${tenantId}/${runId}`);
      },
    },
    shards: { owned: [1, 2] },
    keep: 3,
    log: silentLog,
  });
  expect(asked).toEqual([
    [[1, 2], 3, 86_400_000, 1_000],
    [[1, 2], 3, 86_400_000, 1_000],
  ]);
  expect(deleted).toEqual([...full, "a", "b"].map((id) => `t/${id}`));
});
