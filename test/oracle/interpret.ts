/**
 * The naive interpreter: runs a flow document in a scripted world, in virtual time, and says what became of it.
 *
 * It is written from docs/semantics.md alone and shares no code with the product. It is slow on purpose: after each
 * event it looks at everything again, and before each event it asks everything what is due next.
 */
import {
  attemptTimedOut,
  decide,
  dispatch,
  giveSignals,
  loseAttempt,
  report,
  scheduleToCloseAt,
  signalName,
  silentAt,
  startToCloseAt,
  taskTimedOut,
  waitOver,
} from "./attempts.ts";
import { settleDag } from "./dag.ts";
import { type Duration, type FlowDoc, readDuration } from "./document.ts";
import { beginEnding, giveUp, settleCompensation, settleEnding, terminate } from "./endings.ts";
import { evaluateTemplate } from "./expression.ts";
import { afterTimes, settleFsm } from "./fsm.ts";
import { groupClosesAt, groupTimedOut } from "./groups.ts";
import { type Choices, createMachine, isEnded, isSuccess, type Machine, mayBegin } from "./machine.ts";
import { dependenciesOf } from "./rules.ts";
import {
  acknowledge,
  acknowledgedAt,
  comeBack,
  handOver,
  leftAt,
  startsTooLate,
  startsTooLateAt,
  takenAt,
  unacknowledgedAt,
  withdrawAll,
} from "./workers.ts";
import type { Command, Outcome, World } from "./world.ts";

/** Something that will happen. A time that has passed (retries that a hold kept back) means now. */
type Coming = { at: number; happen: () => void };

/**
 * What the interpreter found. `open`: two things had the same time, so that another order, and perhaps another outcome,
 * would have been as good.
 */
export type Interpretation = { outcome: Outcome; open: boolean };

/** The longest script that is played, events. More means that the flow never ends. */
const MAX_EVENTS = 20_000;

/** Interprets `flow` in `world` until nothing can happen any more. `choices` settle what the semantics leave open. */
export function interpret(flow: FlowDoc, world: World, choices: Partial<Choices> = {}): Interpretation {
  const machine = createMachine(flow, world, { reverse: false, failure: null, compensations: [], ...choices });
  const played = new Set<object>();
  for (const signal of world.signals.filter((arrival) => arrival.at === 0)) {
    played.add(signal);
    machine.signals.push({ name: signal.name, payload: signal.payload, at: 0, unfitIn: [] });
  }
  settle(machine);
  for (let count = 0; isOpen(machine); count++) {
    if (count > MAX_EVENTS) throw new Error(`${flow.id}: more than ${MAX_EVENTS} events`);
    const coming = [...whatTasksExpect(machine), ...whatTheRunExpects(machine), ...whatTheWorldDoes(machine, played)];
    const first = coming.sort((a, b) => a.at - b.at)[0];
    if (first === undefined) break;
    if (first.at > machine.now && coming.filter((other) => other.at === first.at).length > 1) machine.open = true;
    machine.now = Math.max(machine.now, first.at);
    first.happen();
    settle(machine);
  }
  return { outcome: describe(machine), open: machine.open || hasOpenFirst(machine) || hasOpenSignal(machine) };
}

/** Whether two tasks that began at the same time wanted the same signal. */
function hasOpenSignal(machine: Machine): boolean {
  const wanted = [...machine.tasks.values()]
    .filter((task) => task.doc.type === "signal" && task.dispatchOrder !== null)
    .map((task) => `${signalName(task)} at ${task.begunAt}`);
  return new Set(wanted).size < wanted.length;
}

/** Whether a `one_success` task could as well have called another dependency its first, that ended at the same time. */
function hasOpenFirst(machine: Machine): boolean {
  return (machine.flow.workflow.tasks ?? []).some((doc) => {
    const first = machine.tasks.get(machine.tasks.get(doc.id)?.first ?? "");
    if (first === undefined) return false;
    const others = dependenciesOf(machine.flow, doc).map((id) => machine.tasks.get(id));
    return others.some((other) => {
      if (other === undefined || other === first || other.endedAt !== first.endedAt) return false;
      return isSuccess(other) || other.state === "COMPENSATED"; // it may have been undone since
    });
  });
}

function isOpen(machine: Machine): boolean {
  return (
    machine.phase === "QUEUED" ||
    machine.phase === "RUNNING" ||
    machine.phase === "CANCELING" ||
    machine.phase === "COMPENSATING"
  );
}

/** Everything that follows from the present without anything new happening. */
function settle(machine: Machine): void {
  if (machine.phase === "RUNNING" && mayBegin(machine)) {
    if (machine.flow.workflow.states === undefined) settleDag(machine);
    else settleFsm(machine);
  }
  if (machine.phase === "CANCELING") settleEnding(machine);
  if (machine.phase === "COMPENSATING") settleCompensation(machine);
}

function whatTasksExpect(machine: Machine): Coming[] {
  const coming: Coming[] = [];
  const add = (at: number | null, happen: () => void): void => {
    if (at !== null) coming.push({ at, happen });
  };
  for (const task of machine.tasks.values()) {
    if (isEnded(task)) continue;
    if (task.children !== null) {
      add(groupClosesAt(task), () => groupTimedOut(machine, task));
      continue;
    }
    add(task.reportsAt, () => report(machine, task));
    add(startToCloseAt(task), () => attemptTimedOut(machine, task));
    add(silentAt(task), () => attemptTimedOut(machine, task, "HEARTBEAT_TIMEOUT"));
    add(scheduleToCloseAt(task), () => taskTimedOut(machine, task));
    if (task.state === "WAITING") add(task.dueAt, () => waitOver(machine, task));
    if (task.state === "RETRYING" && mayBegin(machine)) add(task.dueAt, () => dispatch(machine, task));
    if (task.doc.type !== "worker") continue;
    const left = leftAt(machine, task);
    add(takenAt(machine, task), () => handOver(machine, task));
    add(acknowledgedAt(machine, task), () => acknowledge(machine, task));
    add(unacknowledgedAt(task), () => comeBack(machine, task, true));
    add(left?.at ?? null, () => comeBack(machine, task, left?.how === "worker lost"));
    add(startsTooLateAt(task), () => startsTooLate(machine, task));
  }
  return coming;
}

function whatTheRunExpects(machine: Machine): Coming[] {
  const coming: Coming[] = [];
  const { timeout } = machine.flow.workflow;
  if (machine.phase === "RUNNING" && timeout !== undefined) {
    const error = { type: "RUN_TIMEOUT", task: null };
    coming.push({
      at:
        machine.world.startDelayMs +
        readDuration(evaluateTemplate(timeout, { ...machine.vars, vars: machine.vars }) as Duration),
      happen: () => beginEnding(machine, { phase: "TIMED_OUT", error, compensate: true }),
    });
  }
  if (machine.phase === "CANCELING" && machine.boundAt !== null)
    coming.push({ at: machine.boundAt, happen: () => giveUp(machine) });
  if (machine.phase === "QUEUED")
    coming.push({
      at: machine.world.startDelayMs,
      happen: () => {
        machine.phase = "RUNNING";
      },
    });
  if (machine.phase === "RUNNING" && mayBegin(machine)) {
    const next = afterTimes(machine).filter((at) => at > machine.now);
    if (next.length > 0) coming.push({ at: Math.min(...next), happen: () => {} });
  }
  return coming;
}

function whatTheWorldDoes(machine: Machine, played: Set<object>): Coming[] {
  const { signals, decisions, commands } = machine.world;
  const coming: Coming[] = [];
  const add = <Item extends { at: number }>(items: Item[], happen: (item: Item) => void): void => {
    for (const item of items) {
      if (played.has(item)) continue;
      coming.push({
        at: item.at,
        happen: () => {
          played.add(item);
          happen(item);
        },
      });
    }
  };
  add(signals, ({ at, name, payload }) => {
    machine.signals.push({ name, payload, at, unfitIn: [] });
    giveSignals(machine);
  });
  add(decisions, (decision) => {
    const task = machine.tasks.get(decision.path);
    if (task?.state === "WAITING" && task.doc.type === "approval") decide(machine, task, decision);
  });
  add(commands, (command) => obey(machine, command));
  return coming;
}

function obey(machine: Machine, command: Command): void {
  switch (command.kind) {
    case "pause":
      machine.holds.add("operator");
      withdrawAll(machine);
      break;
    case "resume":
      machine.holds.delete("operator");
      noteOverdue(machine);
      break;
    case "hold":
      machine.holds.add(command.hold);
      withdrawAll(machine);
      break;
    case "release":
      machine.holds.delete(command.hold);
      noteOverdue(machine);
      break;
    case "terminate":
      terminate(machine);
      break;
    case "crash":
      for (const task of machine.tasks.values())
        if (task.state === "RUNNING" && task.children === null && task.handedAt === null) loseAttempt(machine, task);
      break;
    case "cancel":
      if (machine.phase === "QUEUED") machine.phase = "CANCELED";
      if (machine.phase === "RUNNING")
        beginEnding(machine, { phase: "CANCELED", error: null, compensate: command.compensate });
  }
}

/** After a hold, a worker may take a task of a state before or after a timer that leaves the state. */
function noteOverdue(machine: Machine): void {
  if (machine.flow.workflow.states === undefined || !mayBegin(machine)) return;
  if ([...machine.tasks.values()].some((task) => (takenAt(machine, task) ?? machine.now) < machine.now))
    machine.open = true;
}

function describe(machine: Machine): Outcome {
  const tasks: Outcome["tasks"] = {};
  for (const task of [...machine.tasks.values()].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const { state, reason, output, error, handled, deadLetter, attempts, dispatchedAt, first, doc, input } = task;
    tasks[task.path] = {
      state,
      reason,
      output,
      error: error?.type ?? null,
      deadLetter,
      handled,
      attempts,
      dispatchedAt,
      sent: doc.type === "emit" ? input : null,
      first,
    };
  }
  return {
    phase: machine.phase,
    error: machine.error,
    output: machine.output,
    tasks,
    path: machine.path,
    compensations: machine.compensations,
    leftover: machine.signals.map(({ name, payload }) => ({ name, payload })),
    unfit: machine.unfit,
  };
}
