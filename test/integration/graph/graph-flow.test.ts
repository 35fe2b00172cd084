/** Graph flows through the whole engine: questions as approvals and signals, crashes, takeovers. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Engine } from "../../../src/engine/engine.ts";
import type { GraphHost } from "../../../src/engine/ports/graphs.ts";
import { createFlowRegistry } from "../../../src/flows/registry.ts";
import { createCheckpointStore } from "../../../src/store/checkpoints.ts";
import { createFlowStore } from "../../../src/store/flow-versions.ts";
import { createGraphAdapter } from "../../../src/tools/graph/graph.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { createFileFolder } from "../../support/temporary-folder.ts";
import { CALLER, createBed, type Instance } from "../engine/bed.ts";
import { openTestHost } from "./graph-runs.ts";

const bed = createBed();
const folder = createFileFolder();
const NEVER = new AbortController().signal;
let host: GraphHost;
let file = "";
let files = 0;

beforeAll(async () => {
  host = await openTestHost(createCheckpointStore(bed.database.reads), { maxWorkers: 2 });
});
afterAll(() => host.close());
beforeEach(() => {
  files += 1;
  file = join(folder, `${files}.txt`);
  writeFileSync(file, "");
});

const notes = () =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");

/** An instance whose tools are the graphs. */
async function openInstance(graph: string): Promise<Instance> {
  const instance = await bed.openInstance();
  instance.tools.answer(graph, (call, signal) => createGraphAdapter(host).run(call, { signal }));
  return instance;
}

async function start(
  engine: Engine,
  graph: string,
  signals: { name: string; payload: string }[] = [],
): Promise<string> {
  await bed.register(graph.replaceAll("_", "-"), {
    variables: [{ name: "file", type: "string", required: true }],
    workflow: { graph },
  });
  const { run } = await engine.startRun(CALLER, startOf(graph.replaceAll("_", "-"), { input: { file }, signals }), 0);
  return run.state.runId;
}

async function untilWaiting(runId: string): Promise<void> {
  await eventually(
    async () => expect([...(await bed.stateOf(runId)).tasks.values()]).toMatchObject([{ state: "WAITING" }]),
    { timeoutMs: 20_000 },
  );
}

async function endOf(engine: Engine, runId: string) {
  return (await engine.waitRun(CALLER, runId, 20_000, NEVER)).state;
}

test("an interrupt becomes an approval; a decision, even a no, is the answer that the graph gets", async () => {
  const { engine } = await openInstance("ask");
  const runId = await start(engine, "ask");
  await untilWaiting(runId);
  const [row] = await bed.sql<{ state: string; parameters: string }>(
    "SELECT state, parameters FROM orchestrator.approvals WHERE run_id = $1",
    [runId],
  );
  expect(row?.state).toBe("PENDING");
  expect(JSON.parse(row?.parameters ?? "")).toEqual({ type: "approval", title: "Go on?" });
  await engine.decideApproval(CALLER, runId, await bed.openApprovalOf(runId), {
    approved: false,
    comment: "no",
    data: { why: 1 },
  });
  expect(await endOf(engine, runId)).toMatchObject({
    phase: "COMPLETED",
    output: {
      answers: ["first", { approved: false, decision: "rejected", by: "tester", comment: "no", data: { why: 1 } }],
    },
  });
  expect(notes()).toEqual(["first", "middle", "middle", "last"]);
});

test("a question survives the crash of the service; the next one takes the answer to the checkpoint", async () => {
  const first = await openInstance("ask_twice");
  const runId = await start(first.engine, "ask_twice");
  await untilWaiting(runId);
  await first.crash();
  const second = await openInstance("ask_twice");
  const one = await bed.openApprovalOf(runId);
  const decision = { approved: true, comment: "one", data: null, request: { id: "d", hash: "h" } };
  await second.engine.decideApproval(CALLER, runId, one, decision);
  await eventually(
    async () => expect((await bed.stateOf(runId)).tasks.get("ask_twice")?.suspension?.value).toEqual({ title: "two" }),
    { timeoutMs: 20_000 },
  );
  // Cause: a decision named the task, so its repetition was refused as NOT_FOUND or met the next question.
  for (const again of [decision, { ...decision, request: undefined }])
    expect((await second.engine.decideApproval(CALLER, runId, one, again)).state.approvals.get(one)?.comment).toBe(
      "one",
    );
  const two = await bed.openApprovalOf(runId);
  expect(two).toBeGreaterThan(one);
  expect((await bed.stateOf(runId)).approvals.get(two)).toMatchObject({
    state: "PENDING",
    parameters: { title: "two" },
  });
  await second.crash();
  const third = await openInstance("ask_twice");
  await third.engine.decideApproval(CALLER, runId, await bed.openApprovalOf(runId), {
    approved: true,
    comment: "two",
    data: null,
  });
  const { phase, output } = await endOf(third.engine, runId);
  expect(phase).toBe("COMPLETED");
  expect(output).toMatchObject({ answers: ["first", { comment: "one" }, { comment: "two" }] });
  expect(notes().filter((line) => line === "first")).toHaveLength(1);
});

test("a crash in the middle: the next service goes on from the checkpoint, and the old worker can write no more", async () => {
  const first = await openInstance("waits");
  const runId = await start(first.engine, "waits");
  await eventually(() => expect(notes()).toContain("middle"), { timeoutMs: 20_000 });
  await first.crash();
  const second = await openInstance("waits");
  await eventually(() => expect(notes().filter((line) => line === "middle")).toHaveLength(2), { timeoutMs: 20_000 });
  // From here both workers go on; only the second has the claim.
  appendFileSync(file, "go\n");
  expect(await endOf(second.engine, runId)).toMatchObject({ phase: "COMPLETED", output: { answers: ["first"] } });
  expect(notes()).toEqual(["first", "middle", "middle", "go", "last"]);
});

test("a signal that came before the question answers it at once; one that comes later too", async () => {
  const { engine } = await openInstance("ask_signal");
  const early = await start(engine, "ask_signal", [{ name: "paid", payload: "early" }]);
  expect((await endOf(engine, early)).output).toMatchObject({ answers: ["first", "early"] });
  const late = await start(engine, "ask_signal");
  await untilWaiting(late);
  await engine.signalRun(CALLER, late, "other", "no");
  // Cause: whatever looked like the answer to an approval was listed as an approval.
  const payload = { approved: true, by: "mallory" };
  await engine.signalRun(CALLER, late, "paid", payload);
  const ended = await endOf(engine, late);
  expect(ended.output).toMatchObject({ answers: ["first", payload] });
  expect(ended.approvals.size).toBe(0);
  expect(await bed.sql("SELECT 1 FROM orchestrator.approvals WHERE run_id = $1", [late])).toEqual([]);
});

test("a run whose graph is not loaded waits with the reason in sight and uses up no attempt", async () => {
  const { engine } = await openInstance("nowhere");
  const runId = await start(engine, "nowhere");
  await eventually(async () =>
    expect((await bed.stateOf(runId)).tasks.get("nowhere")).toMatchObject({
      state: "RETRYING",
      attempt: 0,
      error: { type: "GRAPH_NOT_LOADED" },
    }),
  );
  expect((await bed.stateOf(runId)).phase).toBe("RUNNING");
});

test("a cancel reaches the graph", async () => {
  const { engine } = await openInstance("hangs");
  const runId = await start(engine, "hangs");
  await eventually(() => expect(notes()).toContain("middle"), { timeoutMs: 20_000 });
  await engine.cancelRun(CALLER, runId, "enough", false);
  expect(await endOf(engine, runId)).toMatchObject({ phase: "CANCELED" });
});

test("the example runs from its file to its output, with a no and a yes on the way", async () => {
  const own = await openTestHost(createCheckpointStore(bed.database.reads), {}, [
    fileURLToPath(new URL("../../../examples/graphs/review.ts", import.meta.url)),
  ]);
  const text = readFileSync(new URL("../../../examples/graphs/review.yaml", import.meta.url), "utf8");
  const registered = await createFlowRegistry(createFlowStore(bed.database)).registerFlow("default", { text }, false);
  expect(registered.problems).toEqual([]);
  const { engine, tools } = await bed.openInstance();
  tools.answer("review", (call, signal) => createGraphAdapter(own).run(call, { signal }));
  const { run } = await engine.startRun(
    CALLER,
    startOf("summary-review", { input: { text: "Cats sleep. Dogs bark." } }),
    0,
  );
  const { runId } = run.state;
  for (const [approved, description] of [
    [false, "Cats sleep. (4 words)"],
    [true, "Cats sleep. Dogs bark. (4 words)"],
  ] as const) {
    const asked = { title: "Publish this summary?", description };
    await eventually(
      async () => expect((await bed.stateOf(runId)).tasks.get("review")?.suspension?.value).toMatchObject(asked),
      { timeoutMs: 20_000 },
    );
    await engine.decideApproval(CALLER, runId, await bed.openApprovalOf(runId), { approved, comment: "", data: null });
  }
  const { phase, output } = await endOf(engine, runId);
  expect(phase).toBe("COMPLETED");
  expect(output).toMatchObject({ published: true, drafts: 2, summary: "Cats sleep. Dogs bark. (4 words)" });
  await own.close();
});
