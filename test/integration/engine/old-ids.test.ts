/** Databases of older releases: ids of child runs with a colon, paths of tasks with `#` and `/`. */
import { expect, test } from "vitest";
import { childRunId } from "../../../src/base/ids.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

/** Rewrites everything that is stored of `runId`, as an older release would have written it. */
async function writeAsBefore(runId: string, from: string, to: string): Promise<void> {
  const values = [runId, from, to];
  await bed.sql("UPDATE orchestrator.journal SET records = replace(records, $2, $3) WHERE run_id = $1", values);
}

test("a run that an older release left in the second visit of a state goes on, and shows one form of paths", async () => {
  await bed.register("loop", {
    workflow: {
      initial: "ask",
      states: [
        {
          id: "ask",
          task: { type: "signal", parameters: { name: "s" } },
          transitions: [{ when: "${ask.output == 'again'}", to: "ask" }, { to: "done" }],
        },
        { id: "done", task: { type: "noop" }, final: "completed" },
      ],
    },
  });
  const first = await bed.openInstance();
  const { run } = await first.engine.startRun(CALLER, startOf("loop"), 0);
  const { runId } = run.state;
  await first.engine.signalRun(CALLER, runId, "s", "again");
  await eventually(async () => expect((await bed.stateOf(runId)).tasks.get("ask~2")?.state).toBe("WAITING"));
  await first.stop();
  await writeAsBefore(runId, "ask~", "ask#");
  expect([...(await bed.stateOf(runId)).tasks.keys()]).toEqual(["ask#1", "ask#2"]);
  const second = await bed.openInstance();
  await second.engine.signalRun(CALLER, runId, "s", "again");
  await second.engine.signalRun(CALLER, runId, "s", "enough");
  const { state } = await second.engine.waitRun(CALLER, runId, 10_000, NEVER);
  expect(state.phase).toBe("COMPLETED");
  expect([...state.tasks.keys()]).toEqual(["ask~1", "ask~2", "ask~3", "done~1"]);
  const { events } = await second.engine.listEvents(CALLER, runId, 0, 100);
  const paths = events.flatMap(({ record }) => ("task" in record ? [record.task] : []));
  expect(paths.filter((path) => path.includes("#"))).toEqual([]);
  // The view of other systems shows the same, and each task once.
  const rows = await bed.sql("SELECT task_id FROM public.task_execution_history WHERE run_id = $1 ORDER BY id", [
    runId,
  ]);
  expect(rows.map(({ task_id }) => task_id)).toEqual(["ask~1", "ask~2", "ask~3", "done~1"]);
});

test("a child run of an older release is found by its id, gets its signal, and ends its parent", async () => {
  await bed.register("child", [{ id: "s", type: "signal", parameters: { name: "s" } }]);
  await bed.register("parent", [{ id: "p", type: "subflow", parameters: { flow_id: "child" } }]);
  const first = await bed.openInstance();
  const { run } = await first.engine.startRun(CALLER, startOf("parent"), 0);
  const parent = run.state.runId;
  const child = childRunId(parent, "p", 1);
  await eventually(async () => expect((await bed.stateOf(child)).tasks.get("s")?.state).toBe("WAITING"));
  await first.stop();
  const old = `${parent}:p`;
  await writeAsBefore(parent, child, old);
  for (const [table, column] of [
    ["runs", "run_id"],
    ["journal", "run_id"],
    ["starts", "run_id"],
    ["starts", "key"],
  ])
    await bed.sql(`UPDATE orchestrator.${table} SET ${column} = $2 WHERE ${column} = $1`, [child, old]);
  const second = await bed.openInstance();
  await second.engine.signalRun(CALLER, old, "s", 7);
  const { state } = await second.engine.waitRun(CALLER, parent, 10_000, NEVER);
  expect(state).toMatchObject({ phase: "COMPLETED", output: { p: { s: 7 } } });
  expect((await second.engine.getRun(CALLER, old)).state.phase).toBe("COMPLETED");
  await expect(second.engine.getRun(CALLER, child)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});
