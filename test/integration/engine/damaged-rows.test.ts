/**
 * Rows that somebody else wrote, or a disk lost: one damaged row costs its own run and nobody else.
 *
 * A value of the wrong type in a stored record or header was found by whoever needed it first: an encoder outside every `try` (the process ended), or the map over
 * a page (the list failed for the whole tenant). Now rows are checked as they are read.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { beforeEach, expect, test } from "vitest";
import { Call } from "../../../src/api/call.ts";
import { createHealth } from "../../../src/api/health.ts";
import { printMessage } from "../../../src/api/http/print.ts";
import { createTokens } from "../../../src/api/lists/tokens.ts";
import type { ServedMethod } from "../../../src/api/methods.ts";
import { createPipeline } from "../../../src/api/pipeline.ts";
import { createServices } from "../../../src/api/services.ts";
import { silentLog } from "../../../src/base/log.ts";
import { createFlowRegistry } from "../../../src/flows/registry.ts";
import { ApprovalService } from "../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createFlowStore } from "../../../src/store/flow-versions.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { createFakeTemplates } from "../../rpc/support/fake-flows.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

const bed = createBed();

const LIMITS = {
  maxMessageBytes: 4_194_304,
  maxPayloadBytes: 1_048_576,
  maxInlinePayloadBytes: 65_536,
  maxFlowBytes: 65_536,
};

interface Answered {
  /** `OK` or the code of the error. */
  readonly code: string;
  readonly json: string;
}

type Ask = (method: DescMethod, init: Record<string, unknown>) => Promise<Answered>;

/** Calls as the servers make them: handled, then encoded as bytes and as JSON. Of a stream the first message is taken. */
function createCaller(instance: Instance): Ask {
  const methods = createServices({
    engine: instance.engine,
    runIndex: createRunIndex(bed.database),
    flows: createFlowRegistry(createFlowStore(bed.database)),
    templates: createFakeTemplates(),
    health: createHealth(),
    facts: { version: "1", revision: "", store: "external", startedAt: 0, capabilities: [] },
    limits: LIMITS,
    tokens: createTokens(new Uint8Array(32)),
    draining: new AbortController().signal,
    heartbeatMs: 60_000,
  });
  const served = new Map<DescMethod, ServedMethod>(methods.map((method) => [method.desc, method]));
  const pipeline = createPipeline(silentLog, { forMethod: () => ({ started() {}, finished() {}, sent() {} }) });
  return async (desc, init) => {
    const method = served.get(desc);
    if (method === undefined) throw new Error(`${desc.name} is not served`);
    const call = new Call("grpc", undefined, new Map());
    const encode = (message: Parameters<ServedMethod["encode"]>[0]): string => {
      method.encode(message);
      return printMessage(desc.output, message);
    };
    const decode = () => create(desc.input, init);
    if (method.stream === null)
      return new Promise((resolve) =>
        pipeline.runUnary(method, call, decode, encode, (error, json) =>
          resolve({ code: error?.code ?? "OK", json: json ?? String(error?.cause ?? error?.message) }),
        ),
      );
    try {
      for await (const json of pipeline.runStream(method, call, decode, encode)) return { code: "OK", json };
      return { code: "OK", json: "" };
    } catch (error) {
      return { code: (error as { code: string }).code, json: String((error as Error).cause ?? error) };
    } finally {
      call.cancel();
    }
  };
}

const { method: runs } = RunService;

/** Every call about one run, those that read before those that change it. */
const callsFor = (runId: string): readonly (readonly [DescMethod, Record<string, unknown>])[] => [
  [runs.getRun, { runId }],
  [runs.waitRun, { runId, wait: { seconds: 0n, nanos: 1_000_000 } }],
  [runs.listRunEvents, { runId, pageSize: 3 }],
  [runs.listRunEvents, { runId, pageSize: 500 }],
  [runs.listRunTasks, { runId }],
  [runs.getRunTask, { runId, taskId: "s" }],
  [runs.watchRun, { runId }],
  [ApprovalService.method.getApproval, { runId, approvalId: "3" }],
  [runs.signalRun, { runId, signalName: "other" }],
  [ApprovalService.method.decideApproval, { runId, approvalId: "3", decision: 1 }],
  [runs.pauseRun, { runId }],
  [runs.resumeRun, { runId }],
  [runs.cancelRun, { runId }],
];

/** What a call about a run that can be read may say beside OK. */
const FAIR: ReadonlySet<string> = new Set([
  "OK",
  "RUN_TASK_NOT_FOUND",
  "APPROVAL_NOT_FOUND",
  "APPROVAL_DECIDED",
  "RUN_FINISHED",
]);

const LISTS: readonly (readonly [DescMethod, Record<string, unknown>])[] = [
  [runs.listRuns, {}],
  [runs.listRuns, { filter: 'state != "FAILED"' }],
  [runs.countRuns, {}],
  [runs.countRuns, { filter: 'labels["team"] != "x"' }],
  [runs.watchRuns, {}],
  [ApprovalService.method.listApprovals, {}],
  [ApprovalService.method.listApprovals, { filter: 'state != "EXPIRED"' }],
  [FlowService.method.listFlows, {}],
  [FlowService.method.listFlowVersions, { flowId: "wide" }],
];

let instance: Instance;
let ask: Ask;
/** Runs by name: `good` is never damaged. */
let ids: Record<"good" | "wide" | "states" | "ended" | "parent", string>;

/** Runs of every kind, all of them out of memory and at rest. */
beforeEach(async () => {
  await bed.register("wide", [
    { id: "s", type: "signal", parameters: { name: "s" } },
    { id: "a", type: "approval", parameters: { title: "Pay?", assignees: ["x"] } },
    { id: "w", type: "wait", parameters: { duration: "2h" } },
    { id: "m", type: "map", parameters: { items: [1, 2], task: { type: "noop", parameters: { output: "${item}" } } } },
    { id: "r", type: "noop", retry_policy: { max_retries: 3, initial_delay: "2h" } },
    { id: "c", type: "condition", condition: "${true}", on_success: ["t"], on_failure: ["u"] },
    { id: "t", type: "transform", parameters: { output: { x: 1 } } },
    { id: "u", type: "transform", parameters: { output: 2 } },
  ]);
  await bed.register("states", {
    workflow: {
      initial: "one",
      states: [
        { id: "one", on: [{ signal: "go", to: "two" }], after: [{ delay: "2h", to: "two" }] },
        { id: "two", after: [{ delay: "3h", to: "end" }] },
        { id: "end", final: "completed" },
      ],
    },
  });
  await bed.register("parent", [
    { id: "s", type: "subflow", parameters: { flow_id: "wide", labels: { team: "core" } } },
  ]);
  await bed.register("ended", [{ id: "s", type: "noop", parameters: { output: { n: 1 } } }]);
  const first = await bed.openInstance();
  first.tools.answer("r", () => ({ ok: false, error: { type: "NO", message: "no", retryable: true } }));
  const start = async (flow: string) =>
    (await first.engine.startRun(CALLER, startOf(flow, { labels: { team: "core" }, userId: "u" }), 0)).run.state.runId;
  ids = {
    good: await start("wide"),
    wide: await start("wide"),
    states: await start("states"),
    ended: await start("ended"),
    parent: await start("parent"),
  };
  await first.engine.signalRun(CALLER, ids.wide, "early", { n: 1 });
  await first.engine.signalRun(CALLER, ids.states, "go", null);
  await eventually(async () => {
    for (const runId of [ids.good, ids.wide, `${ids.parent}:s`])
      expect((await bed.stateOf(runId)).tasks.get("r")?.state).toBe("RETRYING");
    expect((await bed.stateOf(ids.ended)).phase).toBe("COMPLETED");
  });
  await first.stop();
  instance = await bed.openInstance();
  await instance.keeper.adopted;
  ask = createCaller(instance);
});

interface Saved {
  readonly runs: string;
  readonly journal: string;
  readonly approvals: string;
}

async function save(runId: string): Promise<Saved> {
  const read = async (table: string): Promise<string> =>
    (
      await bed.sql<{ rows: string }>(
        `SELECT coalesce(json_agg(t), '[]')::text AS rows FROM orchestrator.${table} t WHERE run_id = $1`,
        [runId],
      )
    )[0]?.rows ?? "[]";
  return { runs: await read("runs"), journal: await read("journal"), approvals: await read("approvals") };
}

/** Puts a run out of memory. */
async function forget(runId: string): Promise<void> {
  const cell = instance.runtime.cells.get(runId);
  if (cell !== undefined) {
    await eventually(() => expect(cell.pending.length === 0 && !cell.flying).toBe(true));
    instance.runtime.drop(cell);
  }
}

/** Puts the rows of a run back, and the run out of memory. */
async function restore(runId: string, saved: Saved): Promise<void> {
  await forget(runId);
  for (const table of ["runs", "journal", "approvals"] as const) {
    await bed.sql(`DELETE FROM orchestrator.${table} WHERE run_id = $1 OR run_id = 'other'`, [runId]);
    await bed.sql(
      `INSERT INTO orchestrator.${table} ${table === "runs" ? "OVERRIDING SYSTEM VALUE" : ""} SELECT * FROM json_populate_recordset(NULL::orchestrator.${table}, $1)`,
      [saved[table]],
    );
  }
}

/** Asks everything about a damaged run. The answers agree with each other, everybody else is served, and the run can be ended. */
async function judge(runId: string, what: string): Promise<string> {
  const answers: [string, Answered][] = [];
  for (const [method, init] of callsFor(runId)) answers.push([method.name, await ask(method, init)]);
  const verdict = answers[0]?.[1].code ?? "";
  const firstChange = answers.findIndex(([name]) => name === "SignalRun");
  for (const [index, [name, { code, json }]] of answers.entries()) {
    // The first call that would change the run puts it into quarantine, which writes some columns anew: later ones may find it mended, and held.
    const mended = index > firstChange && verdict === "RUN_UNREADABLE" && FAIR.has(code);
    const expected = mended || (verdict === "OK" ? FAIR.has(code) : code === verdict);
    expect(expected ? "" : `${what}: ${name} says ${code} (${json}), GetRun says ${verdict}`).toBe("");
  }
  expect(["OK", "RUN_UNREADABLE", "RUN_NOT_FOUND"], what).toContain(verdict);
  for (const [method, init] of LISTS) {
    const { code, json } = await ask(method, init);
    expect(code === "OK" ? "" : `${what}: ${method.name} says ${code} (${json})`).toBe("");
    if (method === runs.listRuns || method === runs.watchRuns) expect(json.includes(ids.good), what).toBe(true);
  }
  const { code: good } = await ask(runs.getRun, { runId: ids.good });
  expect(good, what).toBe("OK");
  if (verdict !== "RUN_NOT_FOUND") {
    const { code, json } = await ask(runs.terminateRun, { runId, reason: "damaged" });
    expect(["OK", "RUN_FINISHED"].includes(code) ? "" : `${what}: TerminateRun says ${code} (${json})`).toBe("");
  }
  return verdict;
}

const TEXTS = ["''", "'x'", "'1'", "'NaN'", "'infinity'", "repeat('y', 5000)", "E'a\\x01b'", "'null'", "NULL"];
const NUMBERS = ["0", "-1", "1", "9999", "2147483647", "-2147483648", "NULL"];
const TIMES = ["'infinity'", "'-infinity'", "'epoch'", "'0044-03-15 BC'", "'20000-01-01'", "'0001-01-01'", "NULL"];
const LABELS = ["'[1,2]'", `'{"a":5}'`, `'{"a":null}'`, `'{"a":[]}'`, `'"x"'`, "'5'", "'null'", `'{"":"x"}'`, "NULL"];
const FLAGS = ["true", "false", "NULL"];

const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    [
      "tenant_id",
      "flow_id",
      "version",
      "flow_hash",
      "state",
      "user_id",
      "correlation_id",
      "run_key",
      "parent_run_id",
    ].map((column) => [column, TEXTS]),
  ),
  ...Object.fromEntries(["shard", "run_day", "sequence", "takeovers"].map((column) => [column, NUMBERS])),
  ...Object.fromEntries(
    ["wake_at", "deadline_at", "created_at", "updated_at", "ended_at"].map((column) => [column, TIMES]),
  ),
  parent_task: TEXTS,
  labels: LABELS,
  moving: FLAGS,
};

/** Updates that the table itself refuses damage nothing. */
async function damage(sql: string, values: (string | number)[]): Promise<boolean> {
  return bed.sql(sql, values).then(
    () => true,
    () => false,
  );
}

test("a damaged header costs its run; everybody else is served", { timeout: 300_000 }, async () => {
  const verdicts = new Map<string, number>();
  for (const name of ["wide", "states", "ended"] as const) {
    const runId = ids[name];
    await forget(runId);
    const saved = await save(runId);
    for (const [column, values] of Object.entries(COLUMNS))
      for (const value of values) {
        const what = `${name}: ${column} = ${value}`;
        if (!(await damage(`UPDATE orchestrator.runs SET ${column} = ${value} WHERE run_id = $1`, [runId]))) continue;
        const verdict = await judge(runId, what);
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
        await restore(runId, saved);
      }
    expect((await ask(runs.getRun, { runId })).code).toBe("OK");
  }
  expect(verdicts.get("RUN_UNREADABLE")).toBeGreaterThan(60);
});
