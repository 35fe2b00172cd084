/** What messages ask for of runs that another instance owns, over real connections. */
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createBusCommands } from "../../src/api/bus-commands.ts";
import { createPeers } from "../../src/api/peers/peers.ts";
import { toError } from "../../src/base/errors.ts";
import type { BusCommands, MessageStart } from "../../src/engine/ports/bus/commands.ts";
import type { AnsweredTask } from "../../src/engine/ports/dispatch/hand-overs.ts";
import { createFakeEngine } from "./support/fake-engine.ts";
import { startApi, TEST_CONFIG, type TestApi, TOKEN_KEY } from "./support/start-api.ts";

const DONE = { ok: true, output: "x".repeat(100) } as const;

let there: TestApi;

beforeEach(async () => {
  there = await startApi({}, { handOvers: { answered: ({ runId }) => answered(runId) } });
});

afterEach(() => there.api.close(50));

async function answered(runId: string): Promise<"taken" | "unknown"> {
  if (runId === "slow") return new Promise(() => {});
  if (runId === "bad") throw toError("RUN_QUARANTINED", { runId, why: "three deaths" });
  if (runId === "bug") throw new TypeError("a bug");
  return runId === "nope" ? "unknown" : "taken";
}

/** The commands of an instance that owns no run. */
function openCommands(): BusCommands {
  const engine = createFakeEngine();
  engine.owner = there.address;
  const { maxMessageBytes } = TEST_CONFIG;
  const peers = createPeers({ cluster: engine, sharedClock: Date, tokenKey: TOKEN_KEY, maxMessageBytes });
  onTestFinished(() => peers.close());
  return createBusCommands({
    ...{ instanceId: "here", cluster: engine, sender: peers.sender, maxMessageBytes },
    runControl: { startRun: (_caller, { runId }) => Promise.reject(toError("RUN_MOVED", { runId })) },
    handOvers: { answered: ({ runId }) => Promise.reject(toError("RUN_MOVED", { runId })) },
  });
}

function answerOf(runId: string): AnsweredTask {
  const place = { log: "log", epoch: 0, offset: 1 };
  return { runId, taskId: "a", attempt: 1, fence: null, begunAt: 0, place };
}

function startOf(runId: string, input = {}): MessageStart {
  const none = { userId: "", correlationId: "", context: null, refusal: null, labels: {} };
  return { runId, flowId: "open", version: "", input, ...none };
}

const callsOf = (method: string): number => there.finished.filter((call) => call.method.endsWith(`/${method}`)).length;

test("answers to 500 runs of another instance go in a handful of calls, and each has its own result", async () => {
  const commands = openCommands();
  const runs = [...Array.from({ length: 498 }, (_, index) => `run-${index}`), "nope", "bad"];
  const results = await Promise.allSettled(runs.map((runId) => commands.answer(answerOf(runId), DONE)));
  expect(results.slice(0, 498).every((result) => result.status === "fulfilled" && result.value === "taken")).toBe(true);
  expect(results.slice(498)).toMatchObject([{ value: "unknown" }, { reason: { code: "RUN_QUARANTINED" } }]);
  expect(callsOf("TakeAnswers")).toBeLessThan(5);
});

test("answers that fill more than a message go in several calls", async () => {
  const commands = openCommands();
  const output = "x".repeat(50_000);
  const runs = Array.from({ length: 100 }, (_, index) => `run-${index}`);
  const results = await Promise.all(runs.map((runId) => commands.answer(answerOf(runId), { ok: true, output })));
  expect(results.every(Boolean)).toBe(true);
  expect(callsOf("TakeAnswers")).toBeGreaterThanOrEqual(5);
  expect(callsOf("TakeAnswers")).toBeLessThan(15);
});

test("an answer that its owner cannot take now keeps no others waiting, and may be sent again", async () => {
  const commands = openCommands();
  const stuck = Promise.allSettled(["slow", "bug"].map((runId) => commands.answer(answerOf(runId), DONE)));
  const begunAt = performance.now();
  expect(await commands.answer(answerOf("quick"), DONE)).toBe("taken");
  expect(performance.now() - begunAt).toBeLessThan(2_500);
  expect(await stuck).toMatchObject([{ reason: { code: "RUN_MOVED" } }, { reason: { code: "RUN_MOVED" } }]);
  expect(there.errors.length).toBeGreaterThan(0);
});

test("starts of several tenants go to their owner together, and each has its own error", async () => {
  const commands = openCommands();
  const starts = Array.from({ length: 200 }, (_, index) =>
    commands.start(`tenant-${index % 2}`, startOf(`run-${index}`)),
  );
  await Promise.all(starts);
  expect(callsOf("TakeStarts")).toBeLessThan(5);
  expect(there.engine.states.get("run-1")?.tenantId).toBe("tenant-1");
  const missing = { ...startOf("other"), flowId: "missing" };
  const again = await Promise.allSettled([
    commands.start("tenant-0", startOf("run-0")),
    commands.start("tenant-0", missing),
    commands.start("tenant-0", startOf("new")),
  ]);
  expect(again).toMatchObject([
    { reason: { code: "RUN_ALREADY_EXISTS" } },
    { reason: { code: "FLOW_NOT_FOUND" } },
    { status: "fulfilled" },
  ]);
});
