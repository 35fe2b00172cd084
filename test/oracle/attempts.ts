/**
 * How a single task begins, is tried, tried again, waits and ends: sections 2 (last part) and 3 of docs/semantics.md.
 */
import { type Duration, type Json, type JsonMap, readDuration, type WorkDoc } from "./document.ts";
import { ExpressionFailure, evaluateBoolean, evaluateTemplate, type Names } from "./expression.ts";
import { beginTask, endTask, type Machine, mayBegin, namesFor, type Task } from "./machine.ts";
import { type AttemptEnd, type AttemptScript, type Decision, RUN_STARTS_AT, scriptOf } from "./world.ts";

/** Starts a task: pure ones end at once, effectful ones are dispatched, others wait or open their children. */
export function startTask(machine: Machine, path: string, doc: WorkDoc, own: Names, first: string | null = null): Task {
  const task = beginTask(machine, path, doc, own);
  task.first = first;
  try {
    const names = namesFor(machine, own);
    task.doc = withDurations(doc, names);
    if (doc.type === "condition") {
      completeTask(machine, task, { result: evaluateBoolean(doc.condition ?? "", names) });
      return task;
    }
    if (doc.type === "parallel" || doc.type === "map") {
      openGroup(machine, task, names);
      if (task.children !== null) task.dispatchOrder = machine.counter++;
      return task;
    }
    task.input = evaluateTemplate(doc.parameters ?? {}, names);
  } catch (cause) {
    if (!(cause instanceof ExpressionFailure)) throw cause;
    failTask(machine, task, { type: "EXPRESSION_FAILED", retryable: false }, false);
    return task;
  }
  const input = task.input as JsonMap;
  switch (doc.type) {
    case "emit":
      completeTask(machine, task, null);
      break;
    case "transform":
      // Its parameters are its output: nothing else of them is kept.
      task.input = null;
      completeTask(machine, task, input.output ?? null);
      break;
    case "noop":
    case "worker":
    case "subflow":
      dispatch(machine, task);
      break;
    case "wait": {
      const until =
        input.until === undefined
          ? machine.now + readDuration(input.duration as number | string)
          : Date.parse(String(input.until)) - RUN_STARTS_AT;
      if (until <= machine.now) completeTask(machine, task, null);
      else waitUntil(machine, task, until);
      break;
    }
    default:
      waitUntil(machine, task, task.doc.timeout === undefined ? null : machine.now + readDuration(task.doc.timeout));
      giveSignals(machine);
      // A signal that was there already was not waited for.
      if (task.endedAt !== null) task.waited = false;
  }
  return task;
}

/** The task as it stands once its durations are evaluated, which happens when it is scheduled and never again. */
function withDurations(doc: WorkDoc, names: Names): WorkDoc {
  const known = { ...doc };
  for (const key of [
    "timeout",
    "schedule_to_start_timeout",
    "schedule_to_close_timeout",
    "heartbeat_timeout",
  ] as const) {
    const duration = doc[key];
    if (duration !== undefined) known[key] = evaluateTemplate(duration, names) as Duration;
  }
  if (doc.retry_policy !== undefined) known.retry_policy = { ...doc.retry_policy };
  for (const key of ["initial_delay", "max_delay"] as const) {
    const duration = doc.retry_policy?.[key];
    if (duration !== undefined && known.retry_policy !== undefined)
      known.retry_policy[key] = evaluateTemplate(duration, names) as Duration;
  }
  return known;
}

function openGroup(machine: Machine, task: Task, names: Names): void {
  const parameters = task.doc.parameters ?? {};
  if (task.doc.type === "parallel") {
    const docs = parameters.tasks as unknown as WorkDoc[];
    task.children = docs.map((doc, index) => ({ doc, own: { ...task.own, index } }));
    return;
  }
  const items = evaluateTemplate(parameters.items ?? null, names);
  if (!Array.isArray(items)) {
    failTask(machine, task, { type: "MAP_ITEMS_INVALID", retryable: false }, false);
  } else if (items.length > 10_000) {
    failTask(machine, task, { type: "MAP_TOO_LARGE", retryable: false }, false);
  } else {
    const doc = parameters.task as unknown as WorkDoc;
    task.children = items.map((item, index) => ({ doc, own: { ...task.own, item, index } }));
  }
}

function waitUntil(machine: Machine, task: Task, dueAt: number | null): void {
  task.state = "WAITING";
  task.waited = true;
  task.dueAt = dueAt;
  task.dispatchOrder ??= machine.counter++;
}

/** Begins the next attempt: the task waits for a worker. */
function scheduleWork(machine: Machine, task: Task): void {
  task.state = "SCHEDULED";
  task.dueAt = null;
  task.attempts += 1;
  task.losses = 0;
  task.handOvers = 0;
  task.handedAt = null;
  task.waitsSince = machine.now;
}

/** Begins the next attempt of an effectful task, or makes one again that was put off. */
export function dispatch(machine: Machine, task: Task): void {
  if (task.doc.type === "worker") {
    scheduleWork(machine, task);
    return;
  }
  task.state = task.doc.type === "subflow" ? "WAITING" : "RUNNING";
  task.dueAt = null;
  task.attempts += 1;
  if (!task.deferred) task.deferrals = 0;
  task.deferred = false;
  task.dispatchedAt.push(machine.now);
  task.startedAt = machine.now;
  task.dispatchOrder ??= machine.counter++;
  task.calls.push({ harmless: false });
  const script = scriptOf(machine.world, task.path, task.attempts);
  const reports = script.end.kind !== "never" || task.deferrals < (script.deferred?.times ?? 0);
  task.reportsAt = reports ? machine.now + script.durationMs : null;
  task.quietAt = quietAt(machine, script, reports);
}

/**
 * Nobody makes the running attempt any more: its call is made again, with the same number, as soon as anything may
 * begin.
 */
export function loseAttempt(machine: Machine, task: Task): void {
  if (machine.phase === "CANCELING") {
    endTask(machine, task, "CANCELED");
    return;
  }
  // For the tool it was a call like any other.
  task.deferrals += 1;
  task.deferred = true;
  task.attempts -= 1;
  if (mayBegin(machine)) {
    dispatch(machine, task);
    return;
  }
  task.error = { type: "ATTEMPT_LOST", retryable: true };
  task.reportsAt = null;
  task.state = "RETRYING";
  task.dueAt = machine.now;
}

/**
 * When an attempt that begins now gives its last sign of life: one that never ends gives none unless its script does.
 */
export function quietAt(machine: Machine, { quietAfterMs }: AttemptScript, reports: boolean): number | null {
  if (quietAfterMs !== undefined) return machine.now + quietAfterMs;
  return reports ? null : machine.now;
}

/** When the running attempt is given up because it gives no sign of life any more; null: never. */
export function silentAt(task: Task): number | null {
  const { heartbeat_timeout: longest } = task.doc;
  if (task.state !== "RUNNING" || longest === undefined || task.quietAt === null) return null;
  return task.quietAt + readDuration(longest);
}

/** The current call is proven to have had no effect. */
function excuse(task: Task, harmless: boolean | undefined): void {
  const call = task.calls.at(-1);
  if (call !== undefined && harmless === true) call.harmless = true;
}

/** When the running attempt is given up because of `timeout`; null: never. */
export function startToCloseAt(task: Task): number | null {
  const called = task.state === "RUNNING" || (task.state === "WAITING" && task.doc.type === "subflow");
  if (!called || task.startedAt === null || task.doc.timeout === undefined) return null;
  return task.startedAt + readDuration(task.doc.timeout);
}

/** When an effectful task is given up because of `schedule_to_close_timeout`; null: never. */
export function scheduleToCloseAt(task: Task): number | null {
  const isCall = task.doc.type === "noop" || task.doc.type === "worker";
  if (!isCall || task.doc.schedule_to_close_timeout === undefined) return null;
  return task.begunAt + readDuration(task.doc.schedule_to_close_timeout);
}

/** The running attempt reports. */
export function report(machine: Machine, task: Task): void {
  if (task.stopping) {
    endTask(machine, task, "CANCELED");
    return;
  }
  const script = scriptOf(machine.world, task.path, task.attempts);
  const end: AttemptEnd = script.end;
  task.reportsAt = null;
  if (script.deferred !== undefined && task.deferrals < script.deferred.times) {
    excuse(task, script.deferred.noEffect);
    putOff(machine, task, machine.now + script.deferred.forMs);
    return;
  }
  if (task.doc.type === "subflow") {
    childEnded(machine, task, end);
  } else if (end.kind === "error") {
    excuse(task, end.noEffect);
    attemptFailed(machine, task, { type: end.type, retryable: end.retryable }, end.nextRetryDelayMs ?? null, false);
  } else {
    const { input, output } = task.input as JsonMap;
    const echo = task.doc.type === "worker" ? input : output;
    completeTask(machine, task, end.kind === "output" ? end.output : (echo ?? null));
  }
}

/** The child run of a subflow ended. */
function childEnded(machine: Machine, task: Task, end: AttemptEnd): void {
  if (end.kind !== "error") {
    completeTask(machine, task, end.kind === "output" ? end.output : ((task.input as JsonMap).input ?? null));
  } else if (machine.phase === "CANCELING") {
    endTask(machine, task, "CANCELED");
  } else {
    const type = end.type === "CANCELED" ? "CHILD_RUN_CANCELED" : "CHILD_RUN_FAILED";
    attemptFailed(machine, task, { type, retryable: true }, null, false);
  }
}

/**
 * The call is made again at `again`, without using up an attempt, unless that is after schedule-to-close or
 * schedule-to-start.
 */
function putOff(machine: Machine, task: Task, again: number): void {
  const closeAt = scheduleToCloseAt(task);
  const startsAt = task.doc.schedule_to_start_timeout;
  task.deferrals += 1;
  if (machine.phase === "CANCELING") {
    endTask(machine, task, "CANCELED");
  } else if (closeAt !== null && again > closeAt) {
    failTask(machine, task, { type: "BUSY", retryable: true }, false, "DEFERRED_TOO_LONG");
  } else if (startsAt !== undefined && again > task.readyAt + readDuration(startsAt)) {
    failTask(machine, task, { type: "SCHEDULE_TO_START_TIMEOUT", retryable: false }, true, "DEFERRED_TOO_LONG");
  } else {
    task.error = { type: "BUSY", retryable: true };
    task.deferred = true;
    task.attempts -= 1;
    task.state = "RETRYING";
    task.dueAt = again;
  }
}

/** The running attempt took longer than `timeout` allows, or gave no sign of life. */
export function attemptTimedOut(machine: Machine, task: Task, type = "TIMEOUT"): void {
  task.reportsAt = null;
  attemptFailed(machine, task, { type, retryable: true }, null, true);
}

/** The task as a whole took longer than `schedule_to_close_timeout` allows. */
export function taskTimedOut(machine: Machine, task: Task): void {
  failTask(machine, task, { type: "SCHEDULE_TO_CLOSE_TIMEOUT", retryable: false }, true);
}

/** The attempt ended badly: the next one comes later, or the task has failed. */
export function attemptFailed(
  machine: Machine,
  task: Task,
  error: { type: string; retryable: boolean },
  told: number | null,
  timedOut: boolean,
): void {
  const policy = task.doc.retry_policy;
  const maxRetries = policy === undefined ? 0 : (policy.max_retries ?? 3);
  const delay = told ?? backoff(machine, task);
  const closeAt = scheduleToCloseAt(task);
  const isLast = task.attempts > maxRetries || (closeAt !== null && machine.now + delay > closeAt);
  const mayRetry = error.retryable && !(policy?.non_retryable ?? []).includes(error.type);
  if (!mayRetry || isLast) {
    const usedUp = task.attempts > maxRetries ? "ATTEMPTS_EXHAUSTED" : "OUT_OF_TIME";
    failTask(machine, task, error, timedOut, mayRetry ? usedUp : undefined);
    return;
  }
  if (machine.phase === "CANCELING") {
    endTask(machine, task, "CANCELED");
    return;
  }
  task.error = error;
  task.state = "RETRYING";
  task.handedAt = null;
  task.dueAt = machine.now + delay;
  task.readyAt = task.dueAt;
}

function backoff(machine: Machine, task: Task): number {
  const policy = task.doc.retry_policy ?? {};
  const made = task.attempts;
  const initial = readDuration(policy.initial_delay ?? 1);
  const cap = readDuration(policy.max_delay ?? 60);
  const exponential = initial * (policy.multiplier ?? 2) ** (made - 1);
  switch (policy.backoff_type ?? "exponential") {
    case "fixed":
      return Math.min(initial, cap);
    case "linear":
      return Math.min(initial * made, cap);
    case "exponential":
      return Math.min(exponential, cap);
    case "full_jitter":
      return Math.floor((machine.world.jitter[task.path]?.[made - 1] ?? 0.5) * Math.min(exponential, cap));
  }
}

/** Ends a task well. */
export function completeTask(machine: Machine, task: Task, output: Json): void {
  task.output = output;
  task.error = null;
  task.dispatchOrder ??= machine.counter++;
  endTask(machine, task, "COMPLETED");
}

/**
 * Ends a task badly. `on_error: continue` makes the failure a handled one; every other one is a dead letter, unless it
 * is the decision on an approval that compensates nothing. `because` says why nothing more is tried; otherwise a
 * timeout says it, else the error is final.
 */
export function failTask(
  machine: Machine,
  task: Task,
  error: { type: string; retryable: boolean },
  timedOut: boolean,
  because?: Task["deadLetter"],
): void {
  const decided = task.doc.type === "approval" && /^APPROVAL_(REJECTED|TIMEOUT)$/.test(error.type);
  task.error = error;
  task.handled = task.doc.on_error === "continue";
  task.deadLetter = because ?? (timedOut && !error.retryable ? "OUT_OF_TIME" : "NOT_RETRYABLE");
  if (task.handled || (decided && !task.path.endsWith("~compensate"))) task.deadLetter = null;
  endTask(machine, task, timedOut ? "TIMED_OUT" : "FAILED");
}

/** A wait is over: a `wait` completes, a signal or an approval did not come in time. */
export function waitOver(machine: Machine, task: Task): void {
  if (task.doc.type === "wait") completeTask(machine, task, null);
  else if (task.doc.type === "signal") failTask(machine, task, { type: "SIGNAL_TIMEOUT", retryable: false }, true);
  else decide(machine, task, null);
}

/** Somebody decided an approval, or (null) nobody did in time. */
export function decide(machine: Machine, task: Task, decision: Decision | null): void {
  const approved = decision?.approved ?? false;
  const how = decision === null ? "expired" : approved ? "approved" : "rejected";
  const { by = "", comment = "", data = null } = decision ?? {};
  if (approved || task.doc.on_reject === "continue") {
    completeTask(machine, task, { approved, decision: how, by, comment, data });
  } else {
    const type = decision === null ? "APPROVAL_TIMEOUT" : "APPROVAL_REJECTED";
    failTask(machine, task, { type, retryable: false }, false);
  }
}

/** Gives queued signals to the tasks that wait for them: the oldest signal of a name to the task that waits longest. */
export function giveSignals(machine: Machine): void {
  const waiting = [...machine.tasks.values()]
    .filter((task) => task.state === "WAITING" && task.doc.type === "signal")
    .sort((a, b) => (a.dispatchOrder ?? 0) - (b.dispatchOrder ?? 0));
  for (const task of waiting) {
    const name = signalName(task);
    const position = machine.signals.findIndex((signal) => signal.name === name);
    if (position < 0) continue;
    const [signal] = machine.signals.splice(position, 1);
    completeTask(machine, task, signal?.payload ?? null);
  }
}

/** Name of the signal that a task waits for: its parameter, else its id. */
export function signalName(task: Task): string {
  return String((task.input as JsonMap).name ?? task.path.replace(/[~.].*$/, ""));
}
