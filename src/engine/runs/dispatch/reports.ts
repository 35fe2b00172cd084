/**
 * Reports of those who hold tasks. A report counts once: the same report again gets the same answer, and a different
 * one is told what stands.
 */
import { type ErrorCode, isOrchestratorError } from "../../../base/errors.ts";
import type { Outcome } from "../../machine/events.ts";
import { pathOf } from "../../machine/external-ids.ts";
import type { Place, ReturnReason } from "../../machine/records.ts";
import { mayBegin, specOf } from "../../machine/run.ts";
import { limitOutcome } from "../../machine/sizes.ts";
import type { TaskState } from "../../machine/state.ts";
import { awaitsHandOver, isDoneThen } from "../../machine/tasks/handouts.ts";
import { timeoutsOf } from "../../machine/tasks/limits.ts";
import { isRepeated } from "../../machine/tasks/places.ts";
import type {
  AlreadyReported,
  AnsweredTask,
  HandOverRef,
  HandOvers,
  IgnoredAnswer,
  ReadyTask,
  Slot,
  Standing,
  Told,
} from "../../ports/dispatch/hand-overs.ts";
import type { TaskNote } from "../../ports/run-watch.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunResidence, RunResident } from "../run-resident.ts";
import { type CountedAttempts, NO_COST } from "../work/counted-attempts.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { HandOut, HandOutTable } from "./hand-out-table.ts";
import { HandOverRetries } from "./hand-over-retries.ts";
import type { Notes } from "./notes.ts";
import { toResult } from "./ready-task.ts";
import type { ReservedSlots } from "./reserved-slots.ts";
import { standingOf } from "./standing.ts";

/** Tolerated difference between the clocks of brokers and the database, milliseconds. */
const CLOCK_SKEW_MS = 1_000;

/** Pause before a task is handed out whose budget has no room while other attempts are under way, milliseconds. */
const BUSY_MS = 500;

/**
 * The run is elsewhere, gone, or held. Its next owner hands the task out, or this instance does when the hold is
 * released.
 */
const WAITS_NO_MORE: ReadonlySet<ErrorCode> = new Set([
  "RUN_MOVED",
  "RUN_NOT_FOUND",
  "RUN_UNREADABLE",
  "RUN_QUARANTINED",
  "SHUTTING_DOWN",
]);

export interface ReportsParts {
  readonly residence: RunResidence;
  readonly table: HandOutTable;
  readonly reserved: ReservedSlots;
  readonly checkpoints: Checkpoints;
  readonly counted: CountedAttempts;
  readonly notes: Notes;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
  /** Those that a task waits for again after its hand-over failed. */
  readonly takers: { waits(task: ReadyTask): void };
  readonly lifecycle: { readonly stopping: boolean };
}

/** Takes reports of handed-out tasks. */
export class Reports implements HandOvers {
  readonly #parts: ReportsParts;
  /** Acknowledged tasks whose start is not in the journal yet, by the time of the acknowledgement. */
  readonly #starts = new Map<HandOut, number>();
  readonly #retries = new HandOverRetries();
  /** Counted attempts that ask whether they may be handed out. */
  readonly #admitting = new Set<string>();

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  async handOver(ready: ReadyTask, slot: Slot): Promise<boolean> {
    if (this.#retries.isPaused(ready)) return false;
    try {
      const taken = await this.#handOver(ready, slot);
      if (taken !== "later") this.#retries.settled(ready);
      return taken === true;
    } catch (error) {
      const isKnown = isOrchestratorError(error);
      if (isKnown && WAITS_NO_MORE.has(error.code)) this.#retries.settled(ready);
      else {
        const { takers, lifecycle } = this.#parts;
        this.#retries.failed(ready, () => {
          if (!lifecycle.stopping) takers.waits(ready);
        });
      }
      if (isKnown) return false;
      throw error;
    }
  }

  async #handOver(ready: ReadyTask, slot: Slot): Promise<boolean | "later"> {
    const { residence, counted } = this.#parts;
    const { runId, path } = ready;
    const resident = await residence.open(runId);
    if (!this.#waits(resident, path)) return false;
    const { entity: run } = resident;
    const task = run.state.tasks.get(path);
    const attempt = task === undefined || isDoneThen(specOf(run, path)) ? null : counted.find(run, task);
    if (task === undefined || attempt === null) return this.#take(resident, path, slot);
    if (this.#admitting.has(attempt.key)) return false;
    this.#admitting.add(attempt.key);
    let isTaken = false;
    try {
      const { startToCloseMs } = timeoutsOf(specOf(run, path), task.limits);
      const admission = await counted.admitHandOut(attempt, startToCloseMs);
      if (!admission.ok) return this.#refused(ready, admission.isFinal);
      try {
        isTaken = this.#waits(resident, path) && (await this.#take(resident, path, slot));
      } finally {
        if (!isTaken) counted.end(attempt, NO_COST);
      }
    } finally {
      this.#admitting.delete(attempt.key);
    }
    return isTaken;
  }

  #waits({ id, entity: run }: RunResident, path: string): boolean {
    const waits = awaitsHandOver(run.state.tasks.get(path)) && mayBegin(run);
    return waits && this.#parts.reserved.get(id, path) === undefined;
  }

  /** A budget has no room for the attempt. A run that is held hands out its tasks again once it is released. */
  #refused(ready: ReadyTask, isFinal: boolean): false | "later" {
    if (isFinal) return false;
    const { takers, lifecycle } = this.#parts;
    this.#retries.pause(ready, BUSY_MS, () => {
      if (!lifecycle.stopping) takers.waits(ready);
    });
    return "later";
  }

  async #take(resident: RunResident, path: string, slot: Slot): Promise<boolean> {
    const { reserved, submission, clock } = this.#parts;
    const { id: runId } = resident;
    reserved.set(runId, path, slot);
    await submission.submit(resident, { type: "hand_over", at: clock.now(), task: path, to: slot.to, queued: true });
    // The task was handed out in another way meanwhile.
    if (reserved.get(runId, path) !== slot) return true;
    reserved.take(runId, path);
    return false;
  }

  async alive(ref: HandOverRef, slot: Slot | null): Promise<Standing> {
    const handOut = await this.#find(ref);
    return typeof handOut === "string" ? handOut : this.#hear(handOut, slot);
  }

  reported(ref: HandOverRef, told: Outcome): Promise<Standing | AlreadyReported> {
    return this.#report(ref, told);
  }

  async #report(ref: HandOverRef, given: Outcome, place: Place | null = null): Promise<Standing | AlreadyReported> {
    const { table, submission, clock } = this.#parts;
    const resident = await this.#open(ref);
    if (resident === null) return "unknown";
    const handOut = table.find(ref);
    if (handOut === undefined || handOut.reported) return this.#again(resident, ref, given);
    const told = toResult(resident.entity, handOut.path, given);
    const outcome = limitOutcome(told);
    handOut.reported = true;
    this.#writeStart(resident, handOut);
    if (!outcome.ok) this.#parts.checkpoints.flush(resident, handOut);
    try {
      await submission.submit(resident, {
        type: "reported",
        at: clock.now(),
        task: handOut.path,
        token: ref.fence,
        outcome,
        random: Math.random(),
        ...(place === null ? {} : { place }),
      });
    } catch (error) {
      // Nothing is recorded. The worker will report again.
      handOut.reported = false;
      throw error;
    }
    return outcome.ok === told.ok ? "accepted" : "refused";
  }

  async expired({ runId, path, queue }: Pick<ReadyTask, "runId" | "path" | "queue">, ttlMs: number): Promise<void> {
    const { submission, clock } = this.#parts;
    const resident = await this.#open({ runId });
    if (resident === null) return;
    await submission.submit(resident, { type: "queue_expired", at: clock.now(), task: path, queue, ttlMs });
  }

  async answered(
    answer: AnsweredTask,
    outcome: Outcome | "started" | Told,
  ): Promise<"taken" | "unknown" | IgnoredAnswer> {
    const { runId, taskId, place } = answer;
    const resident = await this.#open({ runId });
    if (resident === null) return "unknown";
    const { state, plan } = resident.entity;
    const path = taskId === null ? this.#pathOf(answer) : pathOf(plan, taskId);
    const task = path === undefined ? undefined : state.tasks.get(path);
    if (task === undefined && taskId !== null) return "unknown";
    const ignored = task === undefined ? "ATTEMPT_OVER" : whyIgnored(answer, task);
    if (task === undefined || ignored !== null) {
      // It may be for an attempt whose end is not durable yet.
      await this.#untilDurable(resident);
      return ignored ?? "ATTEMPT_OVER";
    }
    const ref = { runId, fence: task.token };
    if (outcome === "started") return this.#begin(resident, task, ref);
    if ("note" in outcome) return this.#tell(ref, outcome);
    const standing = await this.#report(ref, outcome, place);
    return standing === "accepted" || standing === "refused" ? "taken" : "ATTEMPT_OVER";
  }

  /** The task of a hand-over that an answer names by its fencing token. */
  #pathOf({ runId, fence }: AnsweredTask): string | undefined {
    return fence === null ? undefined : this.#parts.table.find({ runId, fence })?.path;
  }

  /** The executor that has read the message says that it has begun. */
  async #begin(resident: RunResident, { path }: TaskState, ref: HandOverRef): Promise<"taken" | IgnoredAnswer> {
    const { table, submission, clock } = this.#parts;
    const handOut = table.find(ref);
    if (handOut === undefined || handOut.reported || handOut.carrier !== "topics") {
      await this.#untilDurable(resident);
      return "ATTEMPT_OVER";
    }
    handOut.acknowledged = true;
    // Its time counts from now: the message may have waited in the topic.
    await submission.submit(resident, { type: "started", at: clock.now(), task: path, token: ref.fence });
    return "taken";
  }

  async #tell(ref: HandOverRef, { note }: Told): Promise<"taken" | IgnoredAnswer> {
    const standing = await this.alive(ref, null);
    this.note(ref, note);
    return standing === "accepted" || standing === "cancel_requested" ? "taken" : "ATTEMPT_OVER";
  }

  taskOf(ref: HandOverRef): string | null {
    return this.#parts.table.find(ref)?.path ?? null;
  }

  note(ref: HandOverRef, note: TaskNote): void {
    const { table, notes, clock } = this.#parts;
    const handOut = table.find(ref);
    if (handOut !== undefined && !handOut.reported) notes.tell(handOut, clock.now(), note);
  }

  checkpoint(ref: HandOverRef, text: string): void {
    const { table, checkpoints } = this.#parts;
    const handOut = table.find(ref);
    if (handOut !== undefined && !handOut.reported) checkpoints.save(handOut, text);
  }

  async detached(ref: HandOverRef): Promise<Standing> {
    const { submission, clock } = this.#parts;
    const handOut = await this.#find(ref);
    if (typeof handOut === "string") return handOut;
    const resident = await this.#open(ref);
    if (resident === null) return "unknown";
    const { path, fence: token } = handOut;
    this.#starts.delete(handOut);
    handOut.acknowledged = true;
    handOut.heardAt = performance.now();
    handOut.slot?.release();
    handOut.slot = null;
    handOut.detached = true;
    await submission.submit(resident, { type: "detach", at: clock.now(), task: path, token });
    return handOut.canceled ? "cancel_requested" : "accepted";
  }

  async returned(ref: HandOverRef, reason: ReturnReason, holder?: string): Promise<Standing> {
    const { submission, clock } = this.#parts;
    const handOut = await this.#find(ref);
    if (typeof handOut === "string") return handOut;
    // No worker is expected to hold the task.
    if (handOut.detached && reason !== "HANDED_BACK") return "accepted";
    // The acknowledgement came another way.
    if (handOut.acknowledged && reason === "UNACKNOWLEDGED") return "accepted";
    if (holder !== undefined && handOut.slot !== null && handOut.slot.to !== holder) return "accepted";
    const resident = await this.#open(ref);
    if (resident === null) return "unknown";
    if (reason !== "HANDED_BACK") this.#parts.checkpoints.flush(resident, handOut);
    const { path } = handOut;
    const { fence: token } = ref;
    const event = { type: "returned", at: clock.now(), task: path, token, reason, random: Math.random() } as const;
    await submission.submit(resident, event);
    return "accepted";
  }

  /** Writes the checkpoints that are due at `now`, a time of `performance.now()`. */
  writeCheckpoints(now: number): Promise<void> {
    const { checkpoints, table } = this.#parts;
    return checkpoints.writeDue(now, (handOut) =>
      table.find(handOut) === handOut ? this.#open(handOut) : Promise.resolve(null),
    );
  }

  /** Writes the starts that were acknowledged before `before`, a time of `performance.now()`. */
  async writeStarts(before: number): Promise<void> {
    for (const [handOut, heardAt] of this.#starts) {
      if (heardAt > before) return;
      // If the run cannot be opened, its next owner learns of the start from the worker.
      const resident = await this.#open(handOut).catch(() => null);
      if (resident === null) this.#starts.delete(handOut);
      else this.#writeStart(resident, handOut);
    }
  }

  #writeStart(resident: RunResident, handOut: HandOut): void {
    const { submission, clock } = this.#parts;
    const heardAt = this.#starts.get(handOut);
    if (heardAt === undefined) return;
    this.#starts.delete(handOut);
    const at = clock.now() - Math.max(0, Math.round(performance.now() - heardAt));
    submission.post(resident, { type: "started", at, task: handOut.path, token: handOut.fence });
  }

  #hear(handOut: HandOut, slot: Slot | null): Standing {
    const now = performance.now();
    handOut.heardAt = now;
    if (handOut.detached) slot?.release();
    else if (slot !== null && slot !== handOut.slot) {
      // The worker has a new session.
      handOut.slot?.release();
      handOut.slot = slot;
    }
    if (!handOut.acknowledged) {
      handOut.acknowledged = true;
      this.#starts.set(handOut, now);
    }
    return handOut.canceled ? "cancel_requested" : "accepted";
  }

  async #find(ref: HandOverRef): Promise<HandOut | "unknown" | "outdated"> {
    const { table } = this.#parts;
    const known = table.find(ref);
    if (known !== undefined) return known;
    if ((await this.#open(ref)) === null) return "unknown";
    return table.find(ref) ?? "outdated";
  }

  async #open({ runId }: Pick<HandOverRef, "runId">): Promise<RunResident | null> {
    try {
      return await this.#parts.residence.open(runId);
    } catch (error) {
      if (isOrchestratorError(error) && error.code === "RUN_NOT_FOUND") return null;
      throw error;
    }
  }

  async #untilDurable(resident: RunResident): Promise<void> {
    const { submission, clock } = this.#parts;
    if (!resident.gone) await submission.submit(resident, { type: "due", at: clock.now(), by: 0, random: 0 });
  }

  /** The answer to a report of a hand-over that is over, given once what stands is durable. */
  async #again(resident: RunResident, { fence }: HandOverRef, outcome: Outcome): Promise<Standing | AlreadyReported> {
    for (const task of resident.entity.state.tasks.values()) {
      if (task.token !== fence) continue;
      const standing = standingOf(task, limitOutcome(toResult(resident.entity, task.path, outcome)));
      await this.#untilDurable(resident);
      return standing;
    }
    return "outdated";
  }
}

/** Why an answer does not count for a task as it is now; null: it does. */
function whyIgnored({ attempt, fence, begunAt, place }: AnsweredTask, task: TaskState): IgnoredAnswer | null {
  if ((attempt ?? task.attempt) !== task.attempt || (fence ?? task.token) !== task.token) return "OTHER_ATTEMPT";
  // An executor that reports its start may do so late.
  const since = task.state === "RUNNING" ? task.readyAt : task.startedAt;
  if (attempt === null && fence === null && begunAt < since - CLOCK_SKEW_MS) return "BEFORE_ATTEMPT";
  return place !== null && isRepeated(task, place) ? "READ_AGAIN" : null;
}
