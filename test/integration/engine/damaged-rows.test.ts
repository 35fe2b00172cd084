/**
 * Rows that somebody else wrote, or a disk lost: one damaged row costs its own run and nobody else.
 *
 * A value of the wrong type in a stored record or header was found by the code that needed it first: an encoder outside
 * every `try` (the process ended), or the map over a page (the list failed for the whole tenant). Now rows are checked
 * as they are read.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import { beforeEach, expect, test } from "vitest";
import { childRunId } from "../../../src/base/ids.ts";
import { ApprovalService } from "../../../src/gen/orchestrator/v1/approval_service_pb.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createRandom } from "../../oracle/random.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { type Answered, type Ask, createCaller } from "./api-caller.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";

/** Damages of the records of each run; ORCHESTRATOR_DAMAGES asks for more. */
const DAMAGES = Number(process.env.ORCHESTRATOR_DAMAGES ?? 60);

const bed = createBed();

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
  // Right types, but a state or a task that the plan does not have: the machine finds out, and holds the run.
  "RUN_QUARANTINED",
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
    for (const runId of [ids.good, ids.wide, childRunId(ids.parent, "s", 1)])
      expect((await bed.stateOf(runId)).tasks.get("r")?.state).toBe("RETRYING");
    expect((await bed.stateOf(ids.ended)).phase).toBe("COMPLETED");
  });
  await first.stop();
  instance = await bed.openInstance();
  await instance.runtime.adopted;
  ask = createCaller(instance.engine, bed.database);
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
  const resident = instance.runs.residence.residents.get(runId);
  if (resident !== undefined) {
    await eventually(() => expect(resident.pending.length === 0 && !resident.committing).toBe(true));
    instance.runs.residence.drop(resident);
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

/**
 * Asks everything about a damaged run. The answers agree with each other, everybody else is served, and the run can be
 * ended.
 */
async function judge(runId: string, what: string): Promise<string> {
  const answers: [string, Answered][] = [];
  for (const [method, init] of callsFor(runId)) answers.push([method.name, await ask(method, init)]);
  const verdict = answers[0]?.[1].code ?? "";
  const firstChange = answers.findIndex(([name]) => name === "SignalRun");
  for (const [index, [name, { code, json }]] of answers.entries()) {
    // The first call that would change the run puts it into quarantine, which writes some columns anew: later ones may
    // find it repaired, and held.
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
const TIMES = [
  "'infinity'",
  "'-infinity'",
  "'epoch'",
  "'0044-03-15 BC'",
  "'20000-01-01'",
  "'290000-01-01'",
  "'0001-01-01'",
  "NULL",
];
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
  ...Object.fromEntries(["shard", "run_day", "sequence"].map((column) => [column, NUMBERS])),
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

/** Values instead of a field: every type, and the texts that pass for numbers. */
const VALUES = [
  null,
  true,
  5,
  -1,
  1.5,
  1e300,
  2 ** 53,
  "",
  "x",
  "NaN",
  "infinity",
  "y".repeat(3_000),
  "a.7",
  [],
  [1, 2],
  [null],
  {},
  { a: 5 },
  { kind: "none" },
  [[[[]]]],
];

interface JournalRow {
  readonly sequence: number;
  readonly records: string;
}

/** Every field of a record, and those of the objects in it. */
function pathsOf(record: Record<string, unknown>): string[][] {
  return Object.entries(record).flatMap(([key, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? [[key], ...Object.keys(value).map((inner) => [key, inner])]
      : [[key]],
  );
}

/** Where callers' own values stand: any JSON is right there. */
const FREE = /^(vars|input|output|payload|items|value|data)(\.|$)|^facts\.context/;

test("a damaged record costs its run; everybody else is served", { timeout: 600_000 }, async () => {
  const random = createRandom(Number(process.env.ORCHESTRATOR_SEED ?? 7));
  const verdicts = new Map<string, number>();
  for (const [name, runId] of Object.entries({ ...ids, child: childRunId(ids.parent, "s", 1) })) {
    if (name === "good") continue;
    await forget(runId);
    const saved = await save(runId);
    const rows = await bed.sql<JournalRow & Record<string, unknown>>(
      "SELECT sequence, records FROM orchestrator.journal WHERE run_id = $1 ORDER BY sequence",
      [runId],
    );
    const cases = rows.flatMap(({ sequence, records }) =>
      (JSON.parse(records) as Record<string, unknown>[]).flatMap((record, place) =>
        pathsOf(record).flatMap((path) => VALUES.map((value) => ({ sequence, records, place, path, value }))),
      ),
    );
    for (const { sequence, records, place, path, value } of random.shuffle(cases).slice(0, DAMAGES)) {
      const changed = JSON.parse(records) as Record<string, Record<string, unknown>>[];
      const [key = "", inner] = path;
      const record = changed[place] as Record<string, Record<string, unknown>>;
      if (inner === undefined) (record as Record<string, unknown>)[key] = value;
      else (record[key] as Record<string, unknown>)[inner] = value;
      if (random.chance(0.1)) delete record[key];
      const what = `${name}: ${path.join(".")} of ${JSON.stringify(record).slice(0, 200)}`;
      await bed.sql("UPDATE orchestrator.journal SET records = $3 WHERE run_id = $1 AND sequence = $2", [
        runId,
        sequence,
        JSON.stringify(changed),
      ]);
      const verdict = await judge(runId, what);
      if (FREE.test(path.join("."))) verdicts.set("free", (verdicts.get("free") ?? 0) + 1);
      else verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      await restore(runId, saved);
    }
    expect((await ask(runs.getRun, { runId })).code).toBe("OK");
  }
  expect(verdicts.get("RUN_UNREADABLE")).toBeGreaterThan(DAMAGES);
});

test("a journal that lost rows, or holds none, is noticed by every call", { timeout: 120_000 }, async () => {
  const runId = ids.wide;
  await forget(runId);
  const saved = await save(runId);
  const last = "(SELECT max(sequence) FROM orchestrator.journal WHERE run_id = $1)";
  for (const statement of [
    // The signal that was acknowledged is in the last row that a caller knows of.
    `DELETE FROM orchestrator.journal WHERE run_id = $1 AND records LIKE '%"early"%'`,
    `DELETE FROM orchestrator.journal WHERE run_id = $1 AND sequence >= (SELECT sequence FROM orchestrator.journal WHERE run_id = $1 AND records LIKE '%"early"%')`,
    "DELETE FROM orchestrator.journal WHERE run_id = $1 AND sequence = 1",
    "DELETE FROM orchestrator.journal WHERE run_id = $1",
    "UPDATE orchestrator.runs SET sequence = sequence + 100 WHERE run_id = $1",
    `UPDATE orchestrator.journal SET sequence = sequence + 1 WHERE run_id = $1 AND sequence = ${last}`,
    `UPDATE orchestrator.journal SET sequence = 2147483647 WHERE run_id = $1 AND sequence = ${last}`,
    ...[0, -5, 99, 2_147_483_647].map(
      (count) => `UPDATE orchestrator.journal SET record_count = ${count} WHERE run_id = $1 AND sequence = ${last}`,
    ),
    // A number that JSON cannot hold: it would break every answer in JSON.
    `UPDATE orchestrator.journal SET records = regexp_replace(records, '"at":', '"more":[1e999],"at":') WHERE run_id = $1 AND sequence = ${last}`,
    ...["not json", "null", "{}", "[]", "[null]", "[5]", '["x"]', "[[]]", '[{"type":"task.teleported"}]', "[{}]"].map(
      (text) => `UPDATE orchestrator.journal SET records = '${text}' WHERE run_id = $1 AND sequence = ${last}`,
    ),
  ]) {
    await bed.sql(statement, [runId]);
    expect([statement, await judge(runId, statement)]).toEqual([statement, "RUN_UNREADABLE"]);
    await restore(runId, saved);
  }
});

test("damaged approvals and flow versions leave their lists whole", { timeout: 120_000 }, async () => {
  const approvals = await save(ids.wide);
  const open = { filter: "" };
  for (const [column, values] of Object.entries({
    parameters: ["'not json'", "'null'", "'5'", "'[1]'", "''"],
    data: ["'not json'", "''", "'[1'"],
    state: ["''", "'x'"],
    created_at: TIMES,
    due_at: TIMES,
    decided_at: TIMES,
  }))
    for (const value of values) {
      const sql = `UPDATE orchestrator.approvals SET ${column} = ${value} WHERE run_id = $1`;
      if (!(await damage(sql, [ids.wide]))) continue;
      const { code, json } = await ask(ApprovalService.method.listApprovals, open);
      expect([sql, code, json.includes(ids.good)]).toEqual([sql, "OK", true]);
      await restore(ids.wide, approvals);
    }
  for (const change of [
    "document_json = 'null'",
    "document_json = '[]'",
    `document_json = '{"variables":[null],"workflow":5}'`,
    "structure = '5'",
    "kind = 'x'",
    "created_at = 'infinity'",
  ]) {
    await bed.sql(`UPDATE orchestrator.flow_versions SET ${change} WHERE flow_id = 'ended'`);
    const { code, json } = await ask(FlowService.method.listFlows, {});
    expect([change, code, json.includes('"wide"'), json.includes('"ended"')]).toEqual([change, "OK", true, true]);
    expect((await ask(FlowService.method.listFlowVersions, { flowId: "wide" })).code).toBe("OK");
    expect((await ask(FlowService.method.getFlow, { flowId: "ended" })).code).toMatch(/^(OK|FLOW_UNREADABLE)$/);
  }
});
