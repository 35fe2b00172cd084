/** The state of a run for readers outside: its form, its bounds, and what it costs. */
import { expect, test } from "vitest";
import type { JsonObject } from "../../../../src/base/json/json.ts";
import { openRun, type Run } from "../../../../src/engine/machine/run.ts";
import { advance } from "../../../../src/engine/machine/settle.ts";
import { createState } from "../../../../src/engine/machine/state.ts";
import {
  MAX_SUMMARY_OUTPUT,
  MAX_SUMMARY_TASKS,
  summarizeRun,
} from "../../../../src/engine/runs/projections/run-summary.ts";
import { compileFlow } from "../../../../src/flows/compile.ts";

const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };

async function openFlow(...tasks: JsonObject[]): Promise<Run> {
  const { plan } = await compileFlow({ document: { id: "f", version: "1", workflow: { tasks } } });
  const run = openRun(createState("run"), plan);
  const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
  advance(run, { ...start, signals: [] });
  return run;
}

const read = (run: Run) => JSON.parse(summarizeRun(run));

test("a run has its tasks, also those that have not begun, and no output before its end", async () => {
  const run = await openFlow(
    { id: "a", type: "noop" },
    { id: "b", type: "noop", depends_on: ["a"] },
    { id: "c", type: "noop", depends_on: ["b"] },
  );
  expect(read(run)).toEqual({
    run_id: "run",
    flow_id: "f",
    status: "RUNNING",
    tasks: {
      a: { status: "RUNNING", attempts: 1, error: null },
      b: { status: "PENDING", attempts: 0, error: null },
      c: { status: "PENDING", attempts: 0, error: null },
    },
    output: null,
    error: null,
    updated_at: "1970-01-01T00:00:00.001Z",
  });
});

test("tasks are named as executors know them", async () => {
  const run = await openFlow({ id: "a", external_id: "Send E-Mail", type: "noop" }, { id: "b", type: "noop" });
  expect(Object.keys(read(run).tasks)).toEqual(["Send E-Mail", "b"]);
});

test("a map of 10,000 items shows the tasks of its flow, those that began last, and how many are missing", async () => {
  const run = await openFlow({ id: "many", type: "noop" }, { id: "after", type: "noop", depends_on: ["many"] });
  const task = run.state.tasks.get("many");
  if (task === undefined) throw new Error("no task");
  for (let index = 0; index < 10_000; index++)
    run.state.tasks.set(`many.${index}`, { ...task, path: `many.${index}`, state: "COMPLETED" });
  const { tasks, tasks_omitted: omitted } = read(run);
  const names = Object.keys(tasks);
  expect(names).toHaveLength(MAX_SUMMARY_TASKS);
  expect(names.slice(0, 2)).toEqual(["many", "after"]);
  expect(names.at(-1)).toBe([...run.state.tasks.keys()].at(-1));
  expect(omitted).toBe(run.state.tasks.size + 1 - MAX_SUMMARY_TASKS);
  expect(summarizeRun(run).length).toBeLessThan(250_000);
});

test("long outputs and messages are bounded", async () => {
  const run = await openFlow({ id: "a", type: "noop" });
  run.state.output = "x".repeat(MAX_SUMMARY_OUTPUT - 2);
  expect(read(run)).toMatchObject({ output: run.state.output });
  run.state.output += "y";
  expect(read(run)).toMatchObject({ output: null, output_omitted: true });
  run.state.error = { type: "E", message: "m".repeat(10_000), task: null };
  expect(read(run).error).toHaveLength(1_000);
});

test("names of tasks are only names", async () => {
  const run = await openFlow({ id: "a", type: "noop" });
  const task = run.state.tasks.get("a");
  if (task === undefined) throw new Error("no task");
  run.state.tasks.set("__proto__", { ...task, path: "__proto__" });
  expect(Object.keys(read(run).tasks)).toEqual(["a", "__proto__"]);
});

test("it costs less than deciding what the run does", async () => {
  const document = { id: "f", version: "1", workflow: { tasks: ["a", "b", "c"].map((id) => ({ id, type: "noop" })) } };
  const { plan } = await compileFlow({ document });
  const start = { type: "start", at: 1, tenantId: "t", vars: {}, deadlineAt: null, startAt: null, facts } as const;
  const outcome = { ok: true, output: 1 } as const;
  const costs = { decided: 0, summarized: 0 };
  for (let round = 0; round < 3_000; round++) {
    const run = openRun(createState("run"), plan);
    let begun = performance.now();
    advance(run, { ...start, signals: [] });
    for (const [task, { token }] of [...run.state.tasks])
      advance(run, { type: "reported", at: 2, task, token, outcome, random: 0 });
    costs.decided += performance.now() - begun;
    begun = performance.now();
    summarizeRun(run);
    costs.summarized += performance.now() - begun;
    expect(run.state.endedAt).toBe(2);
  }
  expect(costs.summarized).toBeLessThan(costs.decided);
});
