/**
 * The offline checker: what users were told, what the database holds and what the sink saw must fit together. Every
 * line it returns is a violation, with the number of the invariant of the reliability reference.
 */
import { isDeepStrictEqual } from "node:util";
import { foldJournal } from "../../../src/engine/machine/apply.ts";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import { isTerminalPhase, publicState, type RunState } from "../../../src/engine/machine/state.ts";
import type { Dump, DumpedRun } from "./dump.ts";
import type { FlowKind, FlowPlan } from "./flows.ts";
import type { SinkCall } from "./sink.ts";
import { type HistoryLine, PASSING } from "./users.ts";

/** What is checked. */
export interface Evidence {
  readonly history: readonly HistoryLine[];
  readonly dump: Dump;
  readonly calls: readonly SinkCall[];
  readonly plans: Readonly<Record<FlowKind, FlowPlan>>;
}

/** A run with its records and the state that they fold to. */
interface ReadRun {
  readonly run: DumpedRun;
  readonly records: readonly JournalRecord[];
  readonly state: RunState;
}

const ENDS: ReadonlySet<string> = new Set(["task.completed", "task.failed", "task.skipped", "task.canceled"]);

/** Everything that is wrong. */
export function findViolations(evidence: Evidence): string[] {
  const found: string[] = [];
  const report = (what: string): void => void found.push(what);
  const runs = evidence.dump.runs.flatMap((run) => readRun(run, report));
  const byId = new Map(runs.map((one) => [one.run.run_id, one]));
  if (evidence.dump.orphans > 0) report(`I1 ${evidence.dump.orphans} journals have no run`);
  checkAnswers(evidence, byId, runs, report);
  for (const one of runs) {
    checkResults(one, report);
    checkTimers(one, report);
    checkEnd(one, evidence, report);
    checkHolds(one, report);
  }
  checkLists(evidence.dump, runs, report);
  for (const { flow_id, state, counted, rows } of evidence.dump.miscounts)
    report(`I8 ${flow_id} ${state}: ${counted} counted, ${rows} there`);
  checkSink(evidence.calls, byId, report);
  return found;
}

/** I3, I4: the journal is gapless, ends with the end, and folds to what the header says. */
function readRun(run: DumpedRun, report: (what: string) => void): ReadRun[] {
  let next = 1;
  for (const transition of run.transitions) {
    if (transition.sequence !== next) report(`I3 ${run.run_id}: sequence ${transition.sequence} where ${next} belongs`);
    if (transition.record_count !== transition.records.length)
      report(`I3 ${run.run_id}: ${transition.sequence} counts wrong`);
    next = transition.sequence + transition.record_count;
  }
  const records = run.transitions.flatMap((transition) => transition.records);
  try {
    const state = foldJournal(run.run_id, records);
    if (publicState(state) !== run.state) report(`I4 ${run.run_id}: ${run.state} where ${publicState(state)} folds`);
    if ((state.endedAt || null) !== run.ended_at)
      report(`I4 ${run.run_id}: ended_at ${run.ended_at}, ${state.endedAt} folds`);
    if (run.sequence > state.sequence) report(`I4 ${run.run_id}: sequence ${run.sequence}, ${state.sequence} folds`);
    return [{ run, records, state }];
  } catch (error) {
    report(`I4 ${run.run_id} does not fold: ${(error as Error).message}`);
    return [];
  }
}

/** I1, I15, I17: what was acknowledged is there, once; what was answered is honest. */
function checkAnswers(
  { history, plans }: Evidence,
  byId: ReadonlyMap<string, ReadRun>,
  runs: readonly ReadRun[],
  report: (what: string) => void,
): void {
  const started = Map.groupBy(runs, ({ state }) => state.facts.requestId);
  for (const [requestId, lines] of Map.groupBy(history, (line) => `${line.op} ${line.requestId}`)) {
    const [first] = lines;
    if (first === undefined) continue;
    const told = lines.filter((line) => line.outcome === "ok");
    for (const line of lines) {
      if (line.outcome !== "ok" && !PASSING.has(line.outcome)) report(`I17 ${requestId}: answered ${line.outcome}`);
    }
    if (new Set(told.map((line) => line.runId)).size > 1) report(`I1 ${requestId}: answered with different runs`);
    const made = first.op === "start" ? (started.get(first.requestId) ?? []) : [];
    if (made.length > 1) report(`I1 ${requestId}: ${made.length} runs`);
    const runId = told[0]?.runId;
    if (runId === undefined) continue;
    const one = byId.get(runId);
    if (one === undefined) {
      report(`I1 ${requestId}: acknowledged run ${runId} is lost`);
      continue;
    }
    const { records, state } = one;
    if (first.op === "start" && state.facts.requestId !== first.requestId)
      report(`I1 ${requestId}: got the run of another`);
    if (first.op === "signal" || first.op === "approve") {
      const kept = records.filter((record) => "request" in record && record.request === first.requestId);
      if (kept.length !== 1) report(`I1 ${requestId}: in the journal ${kept.length} times`);
    }
    if (first.op === "cancel" && plans[first.kind].cancels && state.phase !== "CANCELED")
      report(`I15 ${requestId}: cancelled and ${state.phase}`);
  }
}

/** I7: kills from outside hold nobody, however many there are. */
function checkHolds({ run, records }: ReadRun, report: (what: string) => void): void {
  for (const record of records)
    if (record.type === "run.held" && record.hold === "quarantine")
      report(`I7 ${run.run_id}: put into quarantine, ${record.why}`);
}

/** I2: a task ends once, and every attempt has a token of its own. */
function checkResults({ run, records }: ReadRun, report: (what: string) => void): void {
  const ends = new Map<string, number>();
  const tasks = new Set<string>();
  let ended = false;
  for (const record of records) {
    if (ended) report(`I3 ${run.run_id}: ${record.type} after the end`);
    if (/^run\.(completed|failed|canceled|timed_out|terminated)$/.test(record.type)) ended = true;
    if (!("task" in record)) continue;
    if (record.type === "task.dispatched" && ends.has(record.task))
      report(`I2 ${run.run_id}/${record.task}: dispatched after its end`);
    if (ENDS.has(record.type)) ends.set(record.task, (ends.get(record.task) ?? 0) + 1);
    tasks.add(record.task);
  }
  for (const [task, count] of ends) if (count > 1) report(`I2 ${run.run_id}/${task}: ${count} results`);
}

/** I6: a wait is over when it is due, not before. */
function checkTimers({ run, records }: ReadRun, report: (what: string) => void): void {
  const due = new Map<string, number>();
  for (const record of records) {
    if (record.type === "task.waiting" && record.wait.kind === "timer") due.set(record.task, record.dueAt ?? 0);
    if (record.type === "task.retrying") due.set(record.task, record.dueAt);
    if (record.type === "task.completed" || record.type === "task.dispatched") {
      const dueAt = due.get(record.task);
      if (dueAt !== undefined && record.at < dueAt)
        report(`I6 ${run.run_id}/${record.task}: ${dueAt - record.at} ms early`);
      due.delete(record.task);
    }
    if (record.type === "state.armed" && record.after.length > 0) due.set("state", record.after[0]?.dueAt ?? 0);
    if (record.type === "state.entered" && record.by.kind === "after") {
      if (record.at < (due.get("state") ?? 0)) report(`I6 ${run.run_id}: state entered early`);
    }
  }
}

/** I7: after the quiet every run has ended, in the way its flow says, with the right output. */
function checkEnd({ run, state, records }: ReadRun, { plans }: Evidence, report: (what: string) => void): void {
  if (!isTerminalPhase(state.phase)) {
    const holds = state.holds.map((hold) => `${hold.kind}: ${hold.why}`).join("; ");
    const open = [...state.tasks.values()]
      .filter((task) => task.endedAt === 0)
      .map((task) => `${task.path} ${task.state}`);
    report(`I7 ${run.run_id} (${run.flow_id}) is ${run.state} ${holds}, open: ${open.join(", ")}`);
    return;
  }
  if (run.wake_at !== null || run.moving) report(`I6 ${run.run_id}: ended and still armed`);
  const plan = plans[run.flow_id as FlowKind];
  if (state.phase !== plan.ends)
    report(`I7 ${run.run_id} (${run.flow_id}) ended ${state.phase}: ${state.error?.message ?? ""}`);
  const expected = plan.output?.(Number(state.vars.n));
  if (expected !== undefined && state.phase === "COMPLETED" && !isDeepStrictEqual(state.output, expected))
    report(`I2 ${run.run_id} (${run.flow_id}): output ${JSON.stringify(state.output)}`);
  if (run.flow_id === "undo") {
    const undone = records.flatMap((record) => (record.type === "task.compensated" ? [record.task] : []));
    // The failed task has none; b was dispatched after a.
    if (undone.join() !== "b,a") report(`I2 ${run.run_id}: compensated ${undone.join()}`);
  }
}

/** Approvals as the records tell them: `id task state`. */
function approvalsOf(records: readonly JournalRecord[]): string[] {
  const asked = new Map<number, { task: string; state: string }>();
  for (const [index, record] of records.entries()) {
    if ((record.type === "task.waiting" || record.type === "task.suspended") && record.wait.kind === "approval")
      asked.set(index + 1, { task: record.task, state: "PENDING" });
    const ended = record.type === "approval.ended" ? asked.get(record.approval) : undefined;
    if (ended !== undefined && record.type === "approval.ended") ended.state = record.state;
    if (record.type !== "task.canceled") continue;
    for (const one of asked.values()) if (one.task === record.task && one.state === "PENDING") one.state = "CANCELED";
  }
  return [...asked].map(([id, { task, state }]) => `${id} ${task} ${state}`);
}

/** I8, I9: rows of lists say what the journals say. */
function checkLists(dump: Dump, runs: readonly ReadRun[], report: (what: string) => void): void {
  const compare = (what: string, rows: readonly string[], facts: readonly string[]): void => {
    const [inRows, inFacts] = [new Set(rows), new Set(facts)];
    if (inRows.size !== rows.length) report(`${what}: ${rows.length - inRows.size} rows twice`);
    for (const row of inRows) if (!inFacts.has(row)) report(`${what}: row ${row} without a record`);
    for (const fact of inFacts) if (!inRows.has(fact)) report(`${what}: record ${fact} without a row`);
  };
  const facts = (pick: (record: JournalRecord) => string | null): string[] =>
    runs.flatMap(({ run, records }) =>
      records.flatMap((record) => {
        const fact = pick(record);
        return fact === null ? [] : [`${run.run_id}/${fact}`];
      }),
    );
  compare(
    "I9 dead letters",
    dump.deadLetters.map((row) => `${row.run_id}/${row.task_path}`),
    facts((record) => (record.type === "task.failed" && record.deadLetter ? record.task : null)),
  );
  compare(
    "I8 outbox",
    dump.outbox.map((row) => `${row.run_id}/${row.task_path}`),
    facts((record) =>
      record.type === "task.completed" &&
      record.task === "e" &&
      record.input !== undefined &&
      "topic" in (record.input as object)
        ? "e"
        : null,
    ),
  );
  compare(
    "I8 approvals",
    dump.approvals.map((row) => `${row.run_id}/${row.approval_id} ${row.task_path} ${row.state}`),
    runs.flatMap(({ run, records }) => approvalsOf(records).map((fact) => `${run.run_id}/${fact}`)),
  );
}

/**
 * I2 at the sink: an effect is of a dispatched attempt, duplicates carry the same key and body, and every result has
 * its effect.
 */
function checkSink(
  calls: readonly SinkCall[],
  byId: ReadonlyMap<string, ReadRun>,
  report: (what: string) => void,
): void {
  const byKey = Map.groupBy(calls, (call) => call.key);
  for (const [key, same] of byKey) {
    if (new Set(same.map((call) => call.body)).size > 1) report(`I2 ${key}: different bodies under one key`);
    const tokens = new Set(same.map((call) => call.token));
    if (tokens.size !== same.length) report(`I2 ${key}: ${same.length} calls with ${tokens.size} tokens`);
    const [first] = same;
    const one = byId.get(first?.runId ?? "");
    if (one === undefined) {
      report(`I1 ${key}: an effect of a run that does not exist`);
      continue;
    }
    for (const { token, task, attempt } of same) {
      const record = one.records[token - 1];
      if (record?.type !== "task.dispatched" || record.task !== task || record.attempt !== attempt)
        report(`I5 ${key}: token ${token} is no dispatch of attempt ${attempt}`);
    }
  }
  for (const { run, records } of byId.values()) {
    for (const record of records) {
      if (record.type !== "task.completed" || !isCall(record.output)) continue;
      // `run/path/generation`, `#n` for visits, and `/compensate` after it for a compensation; written again here, for
      // callers rely on it.
      const [, path = "", visit, rest] = /^([^~]*)(?:~(\d[^~]*))?(?:~(compensate.*))?$/.exec(record.task) ?? [];
      const key = [
        run.run_id,
        visit === undefined ? path : `${path}#${visit}`,
        "0",
        ...(rest === undefined ? [] : [rest]),
      ];
      if (!byKey.has(key.join("/"))) report(`I2 ${run.run_id}/${record.task}: a result without an effect`);
    }
  }
}

function isCall(output: unknown): boolean {
  return output !== null && typeof output === "object" && "step" in output && "n" in output;
}
