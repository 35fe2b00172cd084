/**
 * What the holders of handed-out tasks say, and what becomes of it. A report counts once: the same again gets the same
 * answer, and another one learns what stands.
 */
import { isOrchestratorError } from "../../../base/errors.ts";
import { isSilent } from "../../../tasks/addresses.ts";
import type { Outcome } from "../../machine/events.ts";
import { pathOf } from "../../machine/external-ids.ts";
import type { Place, ReturnReason } from "../../machine/records.ts";
import { mayBegin } from "../../machine/run.ts";
import { limitOutcome } from "../../machine/sizes.ts";
import type { TaskState } from "../../machine/state.ts";
import { awaitsHandOver } from "../../machine/tasks/handouts.ts";
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
} from "../../ports/dispatch/hand-overs.ts";
import type { TaskNote } from "../../ports/run-watch.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunResidence, RunResident } from "../run-resident.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { HandOut, HandOutTable } from "./hand-out-table.ts";
import type { Notes } from "./notes.ts";
import type { ReservedSlots } from "./reserved-slots.ts";
import { standingOf } from "./standing.ts";
import { toResult } from "./task-result.ts";

/** How far the clocks of brokers and of the database may be apart, milliseconds. */
const CLOCK_SKEW_MS = 1_000;

/** What reports take. */
export interface ReportsParts {
  readonly residence: RunResidence;
  readonly table: HandOutTable;
  readonly reserved: ReservedSlots;
  readonly checkpoints: Checkpoints;
  readonly notes: Notes;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
}

/** Takes reports of handed-out tasks. */
export class Reports implements HandOvers {
  readonly #parts: ReportsParts;
  /** Acknowledged tasks whose start is not in the journal yet, with the time of the acknowledgement. */
  readonly #starts = new Map<HandOut, number>();

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  async handOver({ runId, path }: Pick<ReadyTask, "runId" | "path">, slot: Slot): Promise<boolean> {
    const { residence, reserved, submission, clock } = this.#parts;
    try {
      const resident = await residence.open(runId);
      const { entity: run } = resident;
      const waits = awaitsHandOver(run.state.tasks.get(path)) && mayBegin(run);
      if (!waits || reserved.get(runId, path) !== undefined) return false;
      reserved.set(runId, path, slot);
      await submission.submit(resident, { type: "hand_over", at: clock.now(), task: path, to: slot.to, queued: true });
      // Still there: the task went another way meanwhile.
      if (reserved.get(runId, path) !== slot) return true;
      reserved.take(runId, path);
      return false;
    } catch (error) {
      if (isOrchestratorError(error)) return false;
      throw error;
    }
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
      // It is not recorded: the worker reports it again.
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
    { runId, taskId, attempt, fence, begunAt, place }: AnsweredTask,
    outcome: Outcome | "started",
  ): Promise<"taken" | "unknown" | IgnoredAnswer> {
    const resident = await this.#open({ runId });
    if (resident === null) return "unknown";
    const { state, plan } = resident.entity;
    const path = taskId === "" ? this.#parts.table.find({ runId, fence: fence ?? 0 })?.path : pathOf(plan, taskId);
    const task = state.tasks.get(path ?? "");
    if (task === undefined && taskId !== "") return "unknown";
    if (task === undefined) {
      await this.#untilDurable(resident);
      return "ATTEMPT_OVER";
    }
    // An executor that says when it begins may say so later than it does.
    const since = task.state === "RUNNING" ? task.readyAt : task.startedAt;
    const isOlder = attempt === null && fence === null && begunAt < since - CLOCK_SKEW_MS;
    const isOther = (attempt ?? task.attempt) !== task.attempt || (fence ?? task.token) !== task.token;
    if (!isOlder && !isOther && !(place !== null && isRepeated(task, place))) {
      const ref = { runId, fence: task.token };
      if (outcome === "started") return this.#begin(resident, task, ref);
      const standing = await this.#report(ref, outcome, place);
      return standing === "accepted" || standing === "refused" ? "taken" : "ATTEMPT_OVER";
    }
    // It may be for an attempt whose end is not durable yet.
    await this.#untilDurable(resident);
    if (isOther) return "OTHER_ATTEMPT";
    return isOlder ? "BEFORE_ATTEMPT" : "READ_AGAIN";
  }

  /** The one that took the task from a silent place says that it has begun. */
  async #begin(
    resident: RunResident,
    { path, handedTo }: TaskState,
    ref: HandOverRef,
  ): Promise<"taken" | IgnoredAnswer> {
    const { table, submission, clock } = this.#parts;
    const handOut = table.find(ref);
    if (handOut === undefined || handOut.reported || !isSilent(handedTo)) {
      await this.#untilDurable(resident);
      return "ATTEMPT_OVER";
    }
    handOut.acknowledged = true;
    // Its time counts from now: the message may have waited for us, and the answer still does.
    await submission.submit(resident, { type: "started", at: clock.now(), task: path, token: ref.fence });
    return "taken";
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

  async returned(ref: HandOverRef, reason: ReturnReason): Promise<Standing> {
    const { submission, clock } = this.#parts;
    const handOut = await this.#find(ref);
    if (typeof handOut === "string") return handOut;
    // Nobody is expected to be there.
    if (handOut.detached && reason !== "HANDED_BACK") return "accepted";
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
      if (heardAt > before) continue;
      // A run that cannot be opened is the business of its next owner, who learns of the start from the worker.
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
      // The worker speaks through another session.
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

  /** What a second report of a hand-over is told, once what stands is durable. */
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
