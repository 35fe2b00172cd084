/**
 * Finds the holders of handed-out tasks that are gone.
 *
 *   not acknowledged     lost after {@link ACK_TIMEOUT_MS}
 *   with a heartbeat     the attempt fails when the heartbeat timeout has passed since the last sign of life
 *   the worker is out of sight: this instance has just taken the run over, or has lost the instance of the worker
 *                        lost after {@link SESSION_TIMEOUT_MS} without a sign of life
 *   detached, or acknowledged by an agent
 *                        only a heartbeat timeout ends it
 *   on a topic           nothing ends it here: the task has a deadline of its own
 *
 * After a takeover every window begins anew. The runs with handed-out tasks are listed, and those without a sign of
 * life are read when the session timeout is over.
 */
import type { Log } from "../../../base/log.ts";
import { ACK_TIMEOUT_MS, SESSION_TIMEOUT_MS } from "../../dispatch/timeouts.ts";
import type { ReturnReason } from "../../machine/records.ts";
import type { WaitingTaskStore } from "../../ports/dispatch/hand-overs.ts";
import type { Lifecycle } from "../../shard/lifecycle.ts";
import type { OwnedShards } from "../../shard/ownership/owned-shards.ts";
import { type Repetition, repeat } from "../../shard/repeat.ts";
import { retryUntil } from "../../shard/retry-until.ts";
import type { RunResidence } from "../run-resident.ts";
import type { HandOut, HandOutTable } from "./hand-out-table.ts";
import type { Reports } from "./reports.ts";

/** Interval of checks of due tasks, milliseconds. */
const LOOK_EVERY_MS = 500;

/** Longest time between two looks at a task whose worker may go out of sight, milliseconds. */
const LONGEST_LOOK_MS = 5_000;

/** Time between two looks at a task whose holder cannot be lost: only whether its run is still ours. */
const REST_MS = 60_000;

/** An acknowledgement is written after this time, milliseconds, unless the run writes something sooner. */
const START_DELAY_MS = 500;

/** When a hand-out is over unless there is a sign of life, and how it ends then. */
interface Deadline {
  readonly at: number;
  readonly end: ReturnReason | "HEARTBEAT_TIMEOUT";
}

export interface LivenessParts {
  readonly table: HandOutTable;
  readonly reports: Reports;
  readonly residence: RunResidence;
  readonly store: WaitingTaskStore;
  readonly shards: OwnedShards;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  /** See {@link SESSION_TIMEOUT_MS}, for tests. */
  readonly sessionTimeoutMs?: number | undefined;
}

/** Watches handed-out tasks. */
export class Liveness {
  readonly #parts: LivenessParts;
  readonly #sessionTimeoutMs: number;
  /** When each shard became ours, `performance.now()`. */
  readonly #since = new Map<number, number>();
  /** Runs that had tasks handed out when their shard was taken over, and when they are read without a sign of life. */
  #silent: { readonly runIds: readonly string[]; readonly until: number }[] = [];
  readonly #loop: Repetition;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
    this.#sessionTimeoutMs = parts.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
    this.#loop = repeat(() => this.#look(), LOOK_EVERY_MS, parts.log);
  }

  /** Since when holders of tasks of this run could report here, `performance.now()`. */
  sinceOf(runId: string): number {
    const { shards } = this.#parts;
    return this.#since.get(shards.shardOf(runId)) ?? performance.now();
  }

  /** These shards were taken over. */
  async taken(shards: readonly number[]): Promise<void> {
    const { store, lifecycle, log } = this.#parts;
    const now = performance.now();
    for (const shard of shards) this.#since.set(shard, now);
    const isOver = (): boolean => lifecycle.stopping;
    const runIds = await retryUntil(log, () => store.listHandedOut(shards), isOver);
    if (runIds.length > 0) this.#silent.push({ runIds, until: now + this.#sessionTimeoutMs });
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #look(): Promise<void> {
    const { table, reports, shards } = this.#parts;
    const now = performance.now();
    await reports.writeStarts(now - START_DELAY_MS);
    await reports.writeCheckpoints(now);
    await this.#readSilent(now);
    const late: Promise<unknown>[] = [];
    for (const handOut of table.takeDue(now)) {
      const { runId } = handOut;
      if (shards.epochOf(shards.shardOf(runId)) === undefined) {
        // Another instance has the run, and its workers report there.
        table.forget(runId);
        continue;
      }
      const deadline = this.#deadlineOf(handOut);
      const canBeLost = (handOut.carrier === "workers" && !handOut.detached) || handOut.reported;
      const longestMs = canBeLost ? Math.min(LONGEST_LOOK_MS, this.#sessionTimeoutMs) : REST_MS;
      const isLate = deadline !== null && deadline.at <= now;
      table.lookAt(handOut, isLate ? now + longestMs : Math.min(deadline?.at ?? now + REST_MS, now + longestMs));
      if (isLate) late.push(this.#give(handOut, deadline.end));
    }
    await Promise.all(late);
  }

  /** Null: it has none. */
  #deadlineOf({ acknowledged, reported, carrier, detached, slot, heartbeatMs, heardAt }: HandOut): Deadline | null {
    if (reported || carrier === "topics") return null;
    const beat: Deadline | null = heartbeatMs === null ? null : { at: heardAt + heartbeatMs, end: "HEARTBEAT_TIMEOUT" };
    if (detached) return beat;
    // Agents are not asked. Without an acknowledgement of the publisher an answer may still come.
    if (carrier === "agents")
      return acknowledged ? beat : { at: heardAt + this.#sessionTimeoutMs, end: "UNACKNOWLEDGED" };
    if (slot === null || slot.lostAt !== null) {
      const at = Math.max(heardAt, slot?.lostAt ?? heardAt) + this.#sessionTimeoutMs;
      return { at, end: acknowledged ? "WORKER_LOST" : "UNACKNOWLEDGED" };
    }
    return acknowledged ? beat : { at: heardAt + ACK_TIMEOUT_MS, end: "UNACKNOWLEDGED" };
  }

  async #give(handOut: HandOut, end: Deadline["end"]): Promise<void> {
    const { table, reports, log } = this.#parts;
    const { runId, path, fence, heartbeatMs } = handOut;
    try {
      if (end !== "HEARTBEAT_TIMEOUT") return void (await reports.returned(handOut, end));
      const message = `nobody said anything about the task for ${heartbeatMs} ms`;
      const error = { type: end, message, retryable: true };
      handOut.slot?.cancel(message);
      await reports.reported(handOut, { ok: false, error });
    } catch (error) {
      // A run that cannot be opened here is held, or has another owner by now. The next one to open it finds out.
      table.forget(runId);
      log.warn("a handed-out task could not be taken back", { runId, task: path, fence, error });
    }
  }

  /** Reads the runs whose holders have given no sign of life since their takeover. */
  async #readSilent(now: number): Promise<void> {
    const { table, residence, shards, lifecycle, log } = this.#parts;
    const due = this.#silent.filter(({ until }) => until <= now);
    if (due.length === 0) return;
    this.#silent = this.#silent.filter(({ until }) => until > now);
    for (const runId of due.flatMap(({ runIds }) => runIds)) {
      if (lifecycle.stopping || table.has(runId) || shards.epochOf(shards.shardOf(runId)) === undefined) continue;
      await residence.open(runId).catch((error: unknown) => log.warn("a run could not be read", { runId, error }));
    }
  }
}
