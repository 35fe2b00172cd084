/** What workers do: they take tasks, acknowledge them, report, give them back, or are gone. */
import type { JournalRecord, ReturnReason } from "../../src/engine/machine/records.ts";
import { mayBegin, type Run, specOf } from "../../src/engine/machine/run.ts";
import type { TaskState } from "../../src/engine/machine/state.ts";
import { timeoutsOf } from "../../src/engine/machine/tasks/limits.ts";
import type { JsonMap } from "../oracle/document.ts";
import { type AttemptScript, type HandOverScript, handOverOf, scriptOf, type World } from "../oracle/world.ts";
import { type Attempt, type AttemptEvent, failure, outcomeOf } from "./engine-attempt.ts";

/** How soon a hand-over must be acknowledged, milliseconds. */
const ACK_MS = 5_000;

type Coming = { at: number | null; end: AttemptEvent };

/** Does what follows from a record about a worker task. Says whether it was one. */
export function followWorker(
  run: Run,
  world: World,
  attempts: Map<string, Attempt>,
  record: JournalRecord,
  journal: readonly JournalRecord[],
  now: number,
): boolean {
  if (record.type === "run.held") {
    if (!mayBegin(run)) withdraw(run, attempts, now);
    return true;
  }
  const isOurs =
    record.type === "task.scheduled" ||
    record.type === "task.returned" ||
    record.type === "task.started" ||
    (record.type === "task.dispatched" && record.to !== undefined);
  const task = isOurs ? run.state.tasks.get(record.task) : undefined;
  if (task === undefined) return isOurs;
  const script = scriptOf(world, task.path, task.attempt);
  const made = handOversOf(journal, task);
  const handOver = handOverOf(script, made.length - 1);
  if (task.state === "RUNNING") begin(run, task, script, handOver, attempts, made.at(-1)?.at ?? now, now);
  else if (task.state === "SCHEDULED" && task.handedTo !== null) hand(task, handOver, attempts, now);
  else if (task.state === "SCHEDULED") wait(task, handOverOf(script, made.length), attempts, now);
  return true;
}

function wait(
  { path }: TaskState,
  { takenAfterMs }: HandOverScript,
  attempts: Map<string, Attempt>,
  now: number,
): void {
  const at = takenAfterMs === null ? null : now + takenAfterMs;
  attempts.set(path, { at, end: { type: "hand_over", task: path, to: "session", queued: true }, handedAt: null });
}

function hand(task: TaskState, script: HandOverScript, attempts: Map<string, Attempt>, now: number): void {
  const { path, token } = task;
  const ackAt = script.ackAfterMs === null ? null : now + script.ackAfterMs;
  const acknowledged: Coming = { at: ackAt, end: { type: "started", task: path, token } };
  attempts.set(path, { ...first([acknowledged, ...comingBack(task, script, now, false)]), handedAt: now });
}

function begin(
  run: Run,
  task: TaskState,
  script: AttemptScript,
  handOver: HandOverScript,
  attempts: Map<string, Attempt>,
  handedAt: number,
  now: number,
): void {
  const { heartbeatMs } = timeoutsOf(specOf(run, task.path), task.limits);
  const quietAfterMs = script.quietAfterMs ?? (script.end.kind === "never" ? 0 : null);
  const silentAt = heartbeatMs === null || quietAfterMs === null ? null : now + quietAfterMs + heartbeatMs;
  const outcome = outcomeOf(script, (task.input as JsonMap | undefined)?.input ?? null);
  const coming: Coming[] = [
    { at: script.end.kind === "never" ? null : now + script.durationMs, end: reported(task, outcome) },
    { at: silentAt, end: reported(task, failure("HEARTBEAT_TIMEOUT", true)) },
    ...comingBack(task, handOver, handedAt, true),
  ];
  attempts.set(task.path, { ...first(coming), handedAt });
}

/** Ways in which a hand-over comes to nothing. */
function comingBack(task: TaskState, { ends }: HandOverScript, handedAt: number, acknowledged: boolean): Coming[] {
  const back: Coming[] = acknowledged ? [] : [{ at: handedAt + ACK_MS, end: returned(task, "UNACKNOWLEDGED") }];
  if (ends === undefined) return back;
  const reason = ends.how === "worker lost" ? "WORKER_LOST" : "HANDED_BACK";
  return [...back, { at: handedAt + ends.afterMs, end: returned(task, reason) }];
}

/** The run is held: what nobody has acknowledged is taken back. */
function withdraw(run: Run, attempts: Map<string, Attempt>, now: number): void {
  for (const [path, { handedAt }] of attempts) {
    const task = run.state.tasks.get(path);
    if (handedAt === undefined || handedAt === null || task?.state !== "SCHEDULED") continue;
    attempts.set(path, { at: now, end: returned(task, "WITHDRAWN"), handedAt });
  }
}

/** The worker of a task is asked to stop. One that has not acknowledged it only says that it stopped. */
export function stopWorker(
  run: Run,
  world: World,
  path: string,
  attempt: Attempt,
  journal: readonly JournalRecord[],
  now: number,
): void {
  const task = run.state.tasks.get(path);
  if (task === undefined || attempt.handedAt === null || attempt.handedAt === undefined) return;
  const script = scriptOf(world, path, task.attempt);
  if (script.stopsAfterMs === undefined) return;
  const stopped: Coming = { at: now + script.stopsAfterMs, end: reported(task, failure("CANCELED", false)) };
  // Without the acknowledgement that will not come.
  const made = handOversOf(journal, task).length;
  const pending =
    attempt.end.type === "started"
      ? comingBack(task, handOverOf(script, made - 1), attempt.handedAt, false)
      : [{ at: attempt.at, end: attempt.end }];
  Object.assign(attempt, first([...pending, stopped]));
}

/** The hand-overs of the attempt. */
function handOversOf(journal: readonly JournalRecord[], { path, attempt }: TaskState): JournalRecord[] {
  return journal.filter(
    (record) => record.type === "task.dispatched" && record.task === path && record.attempt === attempt,
  );
}

function first(coming: readonly Coming[]): Coming {
  const [best] = coming.filter(({ at }) => at !== null).toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0));
  return best ?? (coming[0] as Coming);
}

function reported(task: TaskState, outcome: ReturnType<typeof outcomeOf>): AttemptEvent {
  return { type: "reported", task: task.path, token: task.token, outcome };
}

function returned(task: TaskState, reason: ReturnReason): AttemptEvent {
  return { type: "returned", task: task.path, token: task.token, reason };
}
