/**
 * Until when an attempt must end: what may still wait for its executor has that time on top, what has begun has not.
 */
import { expect, test } from "vitest";
import { openRun } from "../../../../src/engine/machine/run.ts";
import { advance } from "../../../../src/engine/machine/settle.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";
import { addressOf, toAgents } from "../../../../src/tasks/addresses.ts";

const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };
const HOUR_MS = 3_600_000;

test.each([
  ["a topic", addressOf("topics", "task_queue"), 1 + HOUR_MS + 2_000, 10 + 2_000],
  ["a worker", "session", null, 10 + 2_000],
  ["agents that read a Stream", toAgents("data", true), null, 10 + HOUR_MS + 2_000],
])("on %s", async (_, to, dispatched, started) => {
  const task = { id: "a", type: "queue", timeout: 2, parameters: { handler: "h" } };
  const { plan } = await compileFlow({ document: { id: "f", version: "1", workflow: { tasks: [task] } } });
  const run = openRun(createState("run"), plan);
  const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
  advance(run, { ...start, signals: [] });
  advance(run, { type: "hand_over", at: 1, task: "a", to, queued: false });
  expect(run.state.tasks.get("a")).toMatchObject({ state: "SCHEDULED", dueAt: dispatched });
  advance(run, { type: "started", at: 10, task: "a", token: run.state.tasks.get("a")?.token ?? 0 });
  expect(run.state.tasks.get("a")).toMatchObject({ state: "RUNNING", dueAt: started });
});
