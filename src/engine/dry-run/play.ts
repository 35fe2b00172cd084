/**
 * Plays one way through a flow: the run machine in virtual time, without a journal. Nothing is called. Each attempt
 * ends at once, as the mocks say, and what they do not say is not known.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import { spentSteps } from "../../flows/expressions/values/meter.ts";
import type { Plan } from "../../flows/plan.ts";
import { nextDueAt } from "../machine/decide.ts";
import type { Outcome, RunEvent } from "../machine/events.ts";
import type { JournalRecord } from "../machine/records.ts";
import { fsmStateOf, openRun, type Run, specOf } from "../machine/run.ts";
import { type AnswerNeed, advance } from "../machine/settle.ts";
import { createState, isTerminalPhase, type TaskState } from "../machine/state.ts";
import { isDoneThen } from "../machine/tasks/handouts.ts";
import { answerNeed } from "./answer-need.ts";
import type { Choice, Choices } from "./choices.ts";
import { Unknowns } from "./unknown.ts";

/** Most events of one way. */
const MAX_EVENTS = 5_000;
/** The event loop is left after so many events, or so many steps of expressions. */
const ROUND_EVENTS = 50;
const ROUND_STEPS = 300_000;
/** Steps of the machine for one event; what is left of its work is the next event. */
const ROUND_WORK = 200;

/** What a task gives, or how it fails, instead of being called. */
export type Mock =
  | { readonly ok: true; readonly output: Json }
  | { readonly ok: false; readonly error: { readonly type: string; readonly message: string } };

export interface PlayParts {
  readonly plan: Plan;
  /** Variables of the run, checked. */
  readonly vars: JsonObject;
  /** When the run starts, milliseconds. */
  readonly now: number;
  readonly deadlineAt: number | null;
  /** Of a task by its id in the flow; undefined: its output is not known. */
  readonly mockOf: (id: string) => Mock | undefined;
  readonly constantsOf: (id: string) => JsonObject;
  /** What all ways may cost together. Counted down. */
  readonly bounds: { events: number; steps: number };
  /** Ends the play with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A call that a run would make: the input of an attempt, as far as it is known. */
export interface PlayedCall {
  readonly path: string;
  readonly id: string;
  readonly type: string;
  readonly attempt: number;
  /** Null: nothing of it is known. */
  readonly input: JsonObject | null;
}

/** One way through a flow. */
export interface Way {
  readonly choices: readonly Choice[];
  /** How the run ends; `WAITING`: it waits for something that never comes; `UNFINISHED`: it goes on for too long. */
  readonly end: "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT" | "TERMINATED" | "WAITING" | "UNFINISHED";
  readonly error: { readonly type: string; readonly message: string; readonly task: string | null } | null;
  /** Of timers, retries, and delays alone: calls take no time. */
  readonly durationMs: number;
  readonly calls: readonly PlayedCall[];
  /** Ids of the tasks, or states, that began. */
  readonly reached: ReadonlySet<string>;
  readonly assumptions: readonly { readonly place: string; readonly what: string }[];
}

/** Plays one way; resumes after each event, so that a long one blocks nobody. */
export async function play(parts: PlayParts, choices: Choices): Promise<Way> {
  const { plan, vars, deadlineAt, mockOf, constantsOf } = parts;
  const unknowns = new Unknowns();
  const calls: PlayedCall[] = [];
  const assumptions: { place: string; what: string }[] = [];
  const assumed = (place: string, what: string): void => void assumptions.push({ place, what });
  // Without an id: no run is to blame for what happens here.
  const run = openRun(createState(""), plan);
  let now = parts.now;

  const answer: AnswerNeed = (asked, need) => answerNeed(asked, need, { unknowns, choices, constantsOf, assumed });
  const feed = (event: RunEvent): void => {
    const slice = { work: ROUND_WORK, most: ROUND_WORK, steps: ROUND_STEPS };
    const records = advance(run, event, slice, { answer });
    for (const record of records) {
      const call = toCall(run, record, unknowns);
      if (call !== null) calls.push(call);
    }
  };
  const facts = { userId: "", correlationId: "", labels: {}, runKey: "", requestId: "", context: null, parent: null };
  feed({ type: "start", at: now, tenantId: "", vars, deadlineAt, startAt: null, facts, signals: [] });

  const { bounds, signal } = parts;
  let end: Way["end"] = "UNFINISHED";
  let before = spentSteps();
  for (let count = 0; count < MAX_EVENTS && bounds.events > 0 && bounds.steps > 0; count += 1) {
    if (isTerminalPhase(run.state.phase)) {
      end = run.state.phase as Way["end"];
      break;
    }
    const event = nextEvent(run, now, { unknowns, choices, mockOf });
    if (event !== null) feed(event);
    else {
      const due = nextDueAt(run);
      if (due === null) {
        end = "WAITING";
        break;
      }
      now = Math.max(now, due);
      feed({ type: "due", at: now, random: 0.5 });
    }
    bounds.events -= 1;
    const spent = spentSteps() - before;
    if (count % ROUND_EVENTS < ROUND_EVENTS - 1 && spent < ROUND_STEPS) continue;
    bounds.steps -= spent;
    await nextTurn();
    signal?.throwIfAborted();
    before = spentSteps();
  }
  const { error } = run.state;
  return {
    choices: choices.made,
    end,
    error,
    durationMs: now - parts.now,
    calls,
    reached: reachedOf(run),
    assumptions,
  };
}

function reachedOf(run: Run): ReadonlySet<string> {
  const { tasks, fsm } = run.state;
  const begun = [...tasks.values()].filter(({ state }) => state !== "SKIPPED");
  return new Set([...begun.map(({ path }) => specOf(run, path).id), ...(fsm?.visits.keys() ?? [])]);
}

interface NextParts extends Pick<PlayParts, "mockOf"> {
  readonly unknowns: Unknowns;
  readonly choices: Choices;
}

/** What happens to the run next, outside of it and at once; null: only time passes. */
function nextEvent(run: Run, at: number, parts: NextParts): RunEvent | null {
  if (run.unsettled) return { type: "continue", at };
  for (const task of run.state.tasks.values()) {
    const event = eventOf(run, task, at, parts);
    if (event !== null) return event;
  }
  return run.plan.kind === "fsm" ? signalOf(run, at, parts) : null;
}

function eventOf(run: Run, task: TaskState, at: number, parts: NextParts): RunEvent | null {
  const { path, state, token, wait, limitSlot, handedTo } = task;
  const { unknowns, choices, mockOf } = parts;
  const mock = (): Mock => mockOf(specOf(run, path).id) ?? { ok: true, output: unknowns.create() };
  if (limitSlot?.state === "waiting") return { type: "granted", at, task: path, asked: limitSlot.asked };
  if (state === "SCHEDULED" && handedTo === null)
    return { type: "hand_over", at, task: path, to: "dry-run", queued: false };
  if (state === "SCHEDULED") return { type: "started", at, task: path, token };
  if (state === "RUNNING" && task.group === null)
    return { type: "reported", at, task: path, token, outcome: toOutcome(mock()), random: 0.5 };
  if (state !== "WAITING") return null;
  switch (wait?.kind) {
    case "approval": {
      const approval = [...run.state.approvals.values()].find((one) => one.task === path && one.state === "PENDING");
      if (approval === undefined) return null;
      const approved = choices.take(`approval ${path}`, DECISIONS);
      return { type: "decided", at, approval: approval.id, approved, by: "", comment: "", data: null };
    }
    case "signal": {
      const told = mock();
      const payload = told.ok ? told.output : null;
      return { type: "signal", at, name: wait.name, payload };
    }
    case "run": {
      const told = mock();
      const end = told.ok
        ? ({ phase: "COMPLETED", output: told.output, error: null } as const)
        : ({ phase: "FAILED", output: null, error: { ...told.error, task: null } } as const);
      return { type: "child", at, task: path, runId: wait.runId, end, random: 0.5 };
    }
    default:
      return null;
  }
}

const DECISIONS = [
  ["approved", true],
  ["rejected", false],
] as const;

/** A signal to a state that waits for one, unless time comes first. */
function signalOf(run: Run, at: number, { unknowns, choices }: NextParts): RunEvent | null {
  const { fsm } = run.state;
  if (fsm === null || run.state.phase !== "RUNNING") return null;
  const names = [...new Set(fsmStateOf(run, fsm.state).on.map(({ signal }) => signal))];
  // One that was sent and fits no entry stays: once is enough.
  const open = names.filter((name) => run.state.signals.every((queued) => queued.name !== name));
  if (open.length === 0) return null;
  const alternatives: (readonly [string, string | null])[] = open.map((name) => [`signal ${name}`, name]);
  if (fsm.after.length > 0) alternatives.push(["no signal", null]);
  const name = choices.take(`state ${fsm.state}`, alternatives);
  return name === null ? null : { type: "signal", at, name, payload: unknowns.create() };
}

function toOutcome(mock: Mock): Outcome {
  return mock.ok ? mock : { ok: false, error: { ...mock.error, retryable: true } };
}

/** The call that a record begins; null: none. */
function toCall(run: Run, record: JournalRecord, unknowns: Unknowns): PlayedCall | null {
  const isCall =
    (record.type === "task.dispatched" && record.to === undefined) ||
    record.type === "task.started" ||
    (record.type === "task.waiting" && record.wait.kind === "run") ||
    (record.type === "task.completed" && isDoneThen(specOf(run, record.task)));
  const task = isCall ? run.state.tasks.get(record.task) : undefined;
  if (task === undefined) return null;
  const { id, type } = specOf(run, task.path);
  const input = task.input ?? null;
  const isKnown = isJsonObject(input) && !unknowns.isUnknown(input);
  return { path: task.path, id, type, attempt: task.attempt, input: isKnown ? input : null };
}
