/**
 * Plays one way through a flow: the run machine in virtual time, without a journal. Nothing is called. Each attempt
 * ends at once, as the mocks say, and what they do not say is not known.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { isJsonObject, type JsonObject } from "../../base/json/json.ts";
import { measureJson } from "../../base/json/json-size.ts";
import { formatDollars } from "../../base/money.ts";
import { spentSteps } from "../../flows/expressions/values/meter.ts";
import type { Plan, TaskSpec } from "../../flows/plan.ts";
import { nextDueAt } from "../machine/decide.ts";
import type { Outcome, RunEvent } from "../machine/events.ts";
import type { JournalRecord } from "../machine/records.ts";
import { fsmStateOf, openRun, type Run, specOf } from "../machine/run.ts";
import { type AnswerNeed, advance } from "../machine/settle.ts";
import { createState, isTerminalPhase, type TaskState } from "../machine/state.ts";
import { isDoneThen } from "../machine/tasks/handouts.ts";
import type { Assumption, Mock, PlayedCall, Way } from "../ports/dry-run/dry-runs.ts";
import type { ModelEstimates } from "../ports/models/estimates.ts";
import { answerNeed } from "./answer-need.ts";
import type { Choices } from "./choices.ts";
import { reserveFor, sumOf } from "./estimate.ts";
import { resultSchemaOf } from "./result-schemas.ts";
import { fallbacksOf, targetOf } from "./targets.ts";
import type { TaskTexts } from "./task-texts.ts";
import { Unknowns } from "./unknown.ts";

/** Most events of one way. */
const MAX_EVENTS = 5_000;
/** The event loop is left after so many events, or so many steps of expressions. */
const ROUND_EVENTS = 50;
const ROUND_STEPS = 300_000;
/** So many tokens of a prompt take a step of their own to count. */
const TOKENS_PER_STEP = 5;
/** Steps of the machine for one event; what is left of its work is the next event. */
const ROUND_WORK = 200;

/** Counted down. */
export interface Bounds {
  events: number;
  steps: number;
  inputBytes: number;
}

export interface PlayParts {
  readonly plan: Plan;
  /** Variables of the run, checked. */
  readonly vars: JsonObject;
  /** When the run starts, milliseconds. */
  readonly now: number;
  readonly deadlineAt: number | null;
  /** Of a task by its id in the flow; undefined: its output is not known. */
  readonly mockOf: (id: string) => Mock | undefined;
  readonly texts: TaskTexts;
  readonly estimates: ModelEstimates;
  /** What all ways may cost together: events, steps of expressions, and bytes of inputs. Counted down. */
  readonly bounds: Bounds;
  /** Ends the play with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Plays one way; resumes after each event, so that a long one blocks nobody. */
export async function play(parts: PlayParts, choices: Choices): Promise<Way> {
  const { plan, vars, deadlineAt, mockOf, texts } = parts;
  const unknowns = new Unknowns();
  const calls: PlayedCall[] = [];
  const assumptions: Assumption[] = [];
  const assumed = (place: string, what: string): void => void assumptions.push({ place, what });
  // Without an id: no run is to blame for what happens here.
  const run = openRun(createState(""), plan);
  let now = parts.now;

  const constantsOf = (task: TaskSpec): JsonObject => texts.find(task).constants;
  const answer: AnswerNeed = (asked, need) => answerNeed(asked, need, { unknowns, choices, constantsOf, assumed });
  const silent = new Set<string>();
  let attempts = 0;
  /** Null: none. */
  let shortage: string | null = null;
  const feed = (event: RunEvent): void => {
    const slice = { work: ROUND_WORK, most: ROUND_WORK, steps: ROUND_STEPS };
    const records = advance(run, event, slice, { answer });
    for (const record of records) {
      const call = toCall(run, record, unknowns, parts);
      if (call === null) continue;
      if (isAttempt(record)) attempts += 1;
      shortage ??= findShortage(plan, attempts, call);
      if (shortage === null) calls.push(call);
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
    if (shortage !== null) {
      assumed("budget", shortage);
      end = "WAITING";
      break;
    }
    const event = nextEvent(run, now, { unknowns, choices, mockOf, silent });
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
    ...sumOf(calls),
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
  /** What nobody answers, until its time is up. */
  readonly silent: Set<string>;
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
  const { path, state, token, wait, limitSlot, handedTo, dueAt } = task;
  const { unknowns, choices, mockOf, silent } = parts;
  const mock = (): Mock => {
    const spec = specOf(run, path);
    const given = task.input ?? null;
    const input = isJsonObject(given) && !unknowns.isUnknown(given) ? given : {};
    return mockOf(spec.id) ?? { ok: true, output: unknowns.create(resultSchemaOf(spec, input)) };
  };
  if (limitSlot?.state === "waiting") return { type: "granted", at, task: path, asked: limitSlot.asked };
  if (state === "SCHEDULED" && handedTo === null)
    return { type: "hand_over", at, task: path, to: "dry-run", queued: false };
  if (state === "SCHEDULED") return { type: "started", at, task: path, token };
  if (state === "RUNNING" && task.group === null)
    return { type: "reported", at, task: path, token, outcome: toOutcome(mock()), random: 0.5 };
  const question = `${path} ${dueAt}`;
  if (state !== "WAITING" || silent.has(question)) return null;
  switch (wait?.kind) {
    case "approval": {
      const approval = [...run.state.approvals.values()].find((one) => one.task === path && one.state === "PENDING");
      if (approval === undefined) return null;
      const approved = choices.take(`approval ${path}`, dueAt === null ? DECISIONS : [...DECISIONS, UNDECIDED]);
      if (approved === null) {
        silent.add(question);
        return null;
      }
      const { form } = approval.parameters;
      const data = approved && form !== undefined && isJsonObject(form) ? unknowns.create(form) : null;
      return { type: "decided", at, approval: approval.id, approved, by: "", comment: "", data };
    }
    case "signal": {
      const told = mockOf(specOf(run, path).id);
      if (told === undefined && dueAt !== null && !choices.take(`task ${path}`, comesOrNot(wait.name))) {
        silent.add(question);
        return null;
      }
      const payload = told === undefined ? unknowns.create(run.plan.signals.get(wait.name)) : null;
      return { type: "signal", at, name: wait.name, payload: told?.ok === true ? told.output : payload };
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

const UNDECIDED = ["nobody decides", null] as const;

function comesOrNot(name: string) {
  return [
    [`signal ${name}`, true],
    ["no signal", false],
  ] as const;
}

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
  return name === null ? null : { type: "signal", at, name, payload: unknowns.create(run.plan.signals.get(name)) };
}

function toOutcome(mock: Mock): Outcome {
  return mock.ok ? mock : { ok: false, error: { ...mock.error, retryable: true } };
}

function isAttempt({ type }: JournalRecord): boolean {
  return type === "task.dispatched" || type === "task.started";
}

/** Why the budget of the run holds it before a call; null: it does not, or what calls settle would decide it. */
function findShortage({ budget = {} }: Plan, attempts: number, { path, reserve }: PlayedCall): string | null {
  const { maxSteps, maxTokens, maxCostMicros } = budget;
  const tooMuch =
    (maxSteps !== undefined && attempts > maxSteps && `max_steps is ${maxSteps}`) ||
    (maxTokens !== undefined && (reserve?.tokens ?? 0) > maxTokens && `the call may use ${reserve?.tokens} tokens`) ||
    (maxCostMicros !== undefined &&
      (reserve?.costMicros ?? 0) > maxCostMicros &&
      `the call may cost ${formatDollars(reserve?.costMicros ?? 0)}`);
  return tooMuch ? `the run waits before ${path} until its budget is raised: ${tooMuch}` : null;
}

/** The call that a record begins; null: none. */
function toCall(
  run: Run,
  record: JournalRecord,
  unknowns: Unknowns,
  { texts, estimates, bounds }: Pick<PlayParts, "texts" | "estimates" | "bounds">,
): PlayedCall | null {
  const isCall =
    (record.type === "task.dispatched" && record.to === undefined) ||
    record.type === "task.started" ||
    (record.type === "task.waiting" && record.wait.kind === "run") ||
    (record.type === "task.completed" && isDoneThen(specOf(run, record.task)));
  const task = isCall ? run.state.tasks.get(record.task) : undefined;
  if (task === undefined) return null;
  const spec = specOf(run, task.path);
  const { id, type } = spec;
  const given = task.input ?? null;
  const known = isJsonObject(given) && !unknowns.isUnknown(given) ? given : null;
  const missing = texts.find(spec).computed.filter((name) => known === null || !Object.hasOwn(known, name));
  const reserve = reserveFor(spec, known ?? {}, missing, estimates);
  // To count a text takes as long as to compute it.
  bounds.steps -= Math.ceil((reserve?.tokens ?? 0) / TOKENS_PER_STEP);
  const call = { path: task.path, id, type, attempt: task.attempt, input: known, reserve };
  const target = targetOf(call);
  return { ...call, target, fallbacks: fallbacksOf(call, target), input: kept(known, bounds) };
}

/** Null: the inputs of all calls are too large together. */
function kept(input: JsonObject | null, bounds: Bounds): JsonObject | null {
  if (input === null || bounds.inputBytes <= 0) return null;
  bounds.inputBytes -= measureJson(input, bounds.inputBytes);
  return bounds.inputBytes < 0 ? null : input;
}
