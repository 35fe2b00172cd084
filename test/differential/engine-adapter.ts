/**
 * The engine's side of the differential tests: drives the pure run machine in virtual time through a scripted world. It
 * does what the shard runtime does around the machine (begins attempts, gives them up at their timeouts, tells them to
 * stop, wakes timers), without store, clock or I/O.
 *
 * Faults for the planted bugs are injected here: into the plan, into events, into records and into the state between
 * two steps.
 */

import { foldJournal } from "../../src/engine/machine/apply.ts";
import { decide, nextDueAt, nextStep } from "../../src/engine/machine/decide.ts";
import { evaluateNeed } from "../../src/engine/machine/evaluate.ts";
import type { RunEvent } from "../../src/engine/machine/events.ts";
import type { JournalRecord } from "../../src/engine/machine/records.ts";
import { absorb, openRun, type Run, specOf } from "../../src/engine/machine/run.ts";
import { advance, type TimeSlice } from "../../src/engine/machine/settle.ts";
import { createState, isTerminalPhase, type TaskState } from "../../src/engine/machine/state.ts";
import { compileFlow } from "../../src/flows/compile.ts";
import { checkInput, runTimeoutMs } from "../../src/flows/input.ts";
import type { Plan } from "../../src/flows/plan.ts";
import type { FlowDoc, Json, JsonMap } from "../oracle/document.ts";
import { type FinalPhase, type Outcome, RUN_STARTS_AT, type TaskOutcome, type World } from "../oracle/world.ts";
import { type Attempt, type AttemptEvent, earliest } from "./engine-attempt.ts";
import { followRecord, nextAttempt } from "./engine-attempts.ts";

/** A bug to plant. Each part is called where it applies; what is absent changes nothing. */
export type Fault = {
  plan?: (plan: Plan) => Plan;
  event?: (event: RunEvent) => RunEvent | null;
  record?: (record: JournalRecord, run: Run) => JournalRecord;
  state?: (run: Run) => void;
};

/** What the engine made of a flow: the outcome, and its journal with the run as it stood at the end. */
export type EngineResult = { outcome: Outcome; journal: JournalRecord[]; run: Run; plan: Plan };

const START = RUN_STARTS_AT;
/** More events than any script can cause. */
const MAX_EVENTS = 50_000;

/** What a property test sees and does while the engine runs. `count` is the number of events so far. */
export type Probe = {
  /**
   * The run is forgotten and put together again from its journal: `reopen` as after an orderly handover, `recover` as
   * after a crash.
   */
  interrupt?: (count: number) => "reopen" | "recover" | null;
  /** What the run may do before it is cut. */
  turn?: () => TimeSlice;
  /** What happens to a run that was cut, before it goes on: it is put together again, or the next event comes first. */
  cut?: () => "reopen" | "event" | null;
  /** Before an event, and after it with its records; whatever it does to the run must leave it as it was. */
  before?: (run: Run, event: RunEvent) => void;
  after?: (run: Run, event: RunEvent, journal: readonly JournalRecord[]) => void;
};

/** The plan of a generated flow. Throws FLOW_INVALID when the product refuses it. */
export async function planOf(flow: FlowDoc): Promise<Plan> {
  return (await compileFlow({ document: flow as unknown as JsonMap })).plan;
}

/** Runs a flow on the engine until nothing can happen any more. */
export async function runOnEngine(flow: FlowDoc, world: World, fault: Fault = {}): Promise<EngineResult> {
  return drive(await planOf(flow), world, fault);
}

/** Runs a plan on the engine until nothing can happen any more. */
export function drive(original: Plan, world: World, fault: Fault = {}, probe: Probe = {}): EngineResult {
  const plan = fault.plan?.(original) ?? original;
  const journal: JournalRecord[] = [];
  const attempts = new Map<string, Attempt>();
  const script = worldEvents(world);
  let run = openRun(createState("run"), plan);
  let now = START;

  const feed = (event: RunEvent): boolean => {
    const changed = fault.event === undefined ? event : fault.event(event);
    if (changed === null) return true;
    probe.before?.(run, changed);
    const records = advanceWith(run, changed, fault, probe.turn?.());
    for (const record of records) {
      journal.push(record);
      followRecord(run, world, attempts, journal, now);
    }
    probe.after?.(run, changed, journal);
    return records.length > 0;
  };
  /** Gives the run the turns that it still needs. */
  const goOn = (): void => {
    while (run.unsettled && !isTerminalPhase(run.state.phase)) {
      const how = probe.cut?.() ?? null;
      if (how === "event") return;
      if (how === "reopen") {
        run = openRun(foldJournal("run", storedAs(journal)), plan);
        run.unsettled = true;
      }
      feed({ type: "continue", at: now });
    }
  };
  const interrupt = (how: "reopen" | "recover"): void => {
    run = openRun(foldJournal("run", storedAs(journal)), plan);
    run.unsettled = probe.turn !== undefined;
    if (how === "reopen") return;
    // Workers go on with what they have.
    for (const [path, { end, handedAt }] of attempts)
      if (end.type === "reported" && handedAt === undefined) attempts.delete(path);
    feed({ type: "recover", at: now, clean: false });
  };

  feed(startEvent(plan, world));
  for (let count = 0; !isTerminalPhase(run.state.phase); count++) {
    goOn();
    if (isTerminalPhase(run.state.phase)) break;
    if (count > MAX_EVENTS) throw new Error(`${plan.flowId}: more than ${MAX_EVENTS} events`);
    const how = probe.interrupt?.(count) ?? null;
    if (how !== null) interrupt(how);
    const due = nextDueAt(run);
    const [path, attempt] = nextAttempt(run, attempts);
    const attemptAt = attempt?.at ?? null;
    const worldAt = script[0]?.at ?? null;
    const next = earliest(earliest(due, attemptAt), worldAt);
    if (next === null && run.unsettled) continue;
    if (next === null) break;
    now = Math.max(now, next);
    if (attempt !== undefined && attemptAt === next) {
      attempts.delete(path);
      feed(toEvent(attempt.end, now, jitterOf(run, world, path)));
    } else if (worldAt === next) {
      const event = script.shift();
      if (event?.type === "crash") interrupt("recover");
      else if (event?.type === "decision") {
        const { path: asked, type: _, ...decision } = event;
        feed({ ...decision, type: "decided", approval: openApproval(run, asked), at: now });
      } else if (event !== undefined) feed({ ...event, at: now });
    } else if (!feed({ type: "due", at: now, random: jitterAt(run, world, next) }) && !run.unsettled) {
      throw new Error(`${plan.flowId}: the engine is due at ${next - START} but nothing happens`);
    }
  }
  return { outcome: describe(run, journal), journal, run, plan };
}

/** The journal as it comes back from the store. */
export function storedAs(journal: readonly JournalRecord[]): JournalRecord[] {
  return JSON.parse(JSON.stringify(journal)) as JournalRecord[];
}

function advanceWith(run: Run, event: RunEvent, fault: Fault, turn?: TimeSlice): JournalRecord[] {
  if (fault.record === undefined && fault.state === undefined) return advance(run, event, turn);
  const records: JournalRecord[] = [];
  const take = (made: readonly JournalRecord[]): void => {
    for (const record of made) {
      const changed = fault.record?.(record, run) ?? record;
      absorb(run, changed);
      records.push(changed);
    }
    fault.state?.(run);
  };
  fault.state?.(run);
  take(decide(run, event));
  for (let step = nextStep(run, event.at); step !== null; step = nextStep(run, event.at)) {
    if ("records" in step) take(step.records);
    else take(decide(run, { type: "evaluated", at: event.at, need: step.need, result: evaluateNeed(run, step.need) }));
  }
  return records;
}

function startEvent(plan: Plan, world: World): RunEvent {
  const signals = world.signals.filter((signal) => signal.at === 0).map(({ name, payload }) => ({ name, payload }));
  const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };
  const vars = checkInput(plan, world.variables, 0);
  const timeoutMs = runTimeoutMs(plan, vars, 0);
  const deadlineAt = timeoutMs === null ? null : START + world.startDelayMs + timeoutMs;
  return {
    type: "start",
    at: START,
    tenantId: "default",
    vars,
    deadlineAt,
    startAt: world.startDelayMs > 0 ? START + world.startDelayMs : null,
    facts,
    signals,
  };
}

/** What the world does: events, and deaths of the instance that owns the run. */
type WorldEvent =
  | RunEvent
  | { type: "crash"; at: number }
  | ({ type: "decision" } & Omit<Decided, "type" | "approval"> & { path: string });
type Decided = Extract<RunEvent, { type: "decided" }>;

function worldEvents(world: World): WorldEvent[] {
  const hold = { hold: "operator", by: "op", why: "" } as const;
  const events: WorldEvent[] = [
    ...world.signals
      .filter((signal) => signal.at > 0)
      .map(({ at, name, payload }): RunEvent => ({ type: "signal", at, name, payload })),
    ...world.decisions.map(
      ({ at, path, approved, by = "", comment = "", data = null }): WorldEvent => ({
        type: "decision",
        at,
        path,
        approved,
        by,
        comment,
        data,
      }),
    ),
    ...world.commands.map((command): WorldEvent => {
      const { at, kind } = command;
      if (kind === "crash") return { type: "crash", at };
      if (kind === "cancel") return { type: "cancel", at, by: "op", reason: "", compensate: command.compensate };
      if (kind === "terminate") return { type: "terminate", at, by: "op", reason: "" };
      if (kind === "hold" || kind === "release") return { type: kind, at, hold: command.hold, by: "op", why: "" };
      return { type: kind === "pause" ? "hold" : "release", at, ...hold };
    }),
  ];
  return events.sort((a, b) => a.at - b.at).map((event) => ({ ...event, at: event.at + START }));
}

/** Id of the question that a task asks now; 0 when it asks nothing. */
function openApproval(run: Run, path: string): number {
  for (const approval of run.state.approvals.values())
    if (approval.task === path && approval.state === "PENDING") return approval.id;
  return 0;
}

function toEvent(end: AttemptEvent, at: number, random: number): RunEvent {
  return end.type === "hand_over" || end.type === "started" ? { ...end, at } : { ...end, at, random };
}

/** The random number for a timer of a task that is due. */
function jitterAt(run: Run, world: World, dueAt: number): number {
  for (const [path, at] of run.state.timers) if (at === dueAt) return jitterOf(run, world, path);
  return 0.5;
}

function jitterOf(run: Run, world: World, path: string): number {
  return world.jitter[path]?.[(run.state.tasks.get(path)?.attempt ?? 1) - 1] ?? 0.5;
}

/** The run in the words of the oracle. */
function describe(run: Run, journal: readonly JournalRecord[]): Outcome {
  const { state } = run;
  const tasks: Outcome["tasks"] = {};
  for (const task of [...state.tasks.values()].sort((a, b) => (a.path < b.path ? -1 : 1)))
    tasks[task.path] = describeTask(run, task, journal);
  const undone = journal.flatMap((record) =>
    "task" in record && /^[^.]*~compensate$/.test(record.task) ? [record.task.replace("~compensate", "")] : [],
  );
  return {
    phase: state.phase as FinalPhase,
    error: state.error === null ? null : { type: state.error.type, task: state.error.task },
    output: (state.output ?? null) as Json,
    tasks,
    path: [...(state.fsm?.path ?? [])],
    compensations: [...new Set(undone)],
    leftover: state.signals.map(({ name, payload }) => ({ name, payload: payload as Json })),
    unfit: journal.flatMap((record) =>
      record.type === "signal.guard_failed" ? [`${record.name} in ${record.state}`] : [],
    ),
  };
}

function describeTask(run: Run, task: TaskState, journal: readonly JournalRecord[]): TaskOutcome {
  const { effect } = specOf(run, task.path);
  const called = task.wait?.kind === "run" || effect === "effectful" || effect === "remote";
  const calls = journal.filter(
    (record) => (record.type === "task.dispatched" || record.type === "task.waiting") && record.task === task.path,
  );
  return {
    state: task.state,
    reason: task.reason,
    output: (task.output ?? null) as Json,
    error: task.error?.type ?? null,
    deadLetter: task.deadLetter,
    handled: task.handled,
    attempts: called ? task.attempt : 0,
    dispatchedAt: called ? calls.map((record) => record.at - START) : [],
    sent: specOf(run, task.path).type === "emit" ? ((task.input ?? null) as Json) : null,
    first: task.first,
  };
}
