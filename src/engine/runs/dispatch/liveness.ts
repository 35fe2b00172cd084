/**
 * Whether the holders of handed-out tasks are still there.
 *
 *   handed out here    acknowledged within {@link ACK_TIMEOUT_MS}, or it is lost
 *   with a heartbeat   heard of within the heartbeat timeout, or the attempt fails
 *   its worker is out of sight (this instance has just taken the run over, or lost the instance of the worker)
 *                      heard of within {@link SESSION_TIMEOUT_MS}, or it is lost
 *
 *   detached, or at an agent that has it
 *                      nobody is expected, unless the task has a heartbeat
 *
 * After a takeover every window begins anew. The runs with tasks handed out are listed, and those of which nobody has
 * been heard when the window is over are read.
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

/** How often the table is looked through, milliseconds. */
const LOOK_EVERY_MS = 500;

/** An acknowledgement is written after this time, milliseconds, unless the run writes something sooner. */
const START_DELAY_MS = 500;

/** What liveness takes. */
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
  /** Runs with tasks handed out when their shard was taken over, and until when they may be silent. */
  #silent: { readonly runIds: readonly string[]; readonly until: number }[] = [];
  readonly #loop: Repetition;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
    this.#sessionTimeoutMs = parts.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
    this.#loop = repeat(() => this.#look(), LOOK_EVERY_MS, parts.log);
  }

  /** Since when a holder of a task of this run could have been heard of here, `performance.now()`. */
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
    for (const handOut of table) {
      const { runId } = handOut;
      if (shards.epochOf(shards.shardOf(runId)) === undefined) {
        // Another instance has the run, and its workers report there.
        table.forget(runId);
        continue;
      }
      const end = this.#endOf(handOut, now);
      if (end !== null) late.push(this.#give(handOut, end));
    }
    await Promise.all(late);
  }

  #endOf(
    { acknowledged, reported, silent, atAgents, detached, slot, heartbeatMs, heardAt }: HandOut,
    now: number,
  ): ReturnReason | "HEARTBEAT_TIMEOUT" | null {
    if (reported || silent) return null;
    const silentMs = now - heardAt;
    if (detached || (atAgents && acknowledged))
      return heartbeatMs !== null && silentMs > heartbeatMs ? "HEARTBEAT_TIMEOUT" : null;
    // Those who publish say themselves what they know; without them an answer may still come.
    if (atAgents) return silentMs > this.#sessionTimeoutMs ? "UNACKNOWLEDGED" : null;
    if (slot === null || slot.lostAt !== null) {
      if (Math.min(silentMs, now - (slot?.lostAt ?? 0)) <= this.#sessionTimeoutMs) return null;
      return acknowledged ? "WORKER_LOST" : "UNACKNOWLEDGED";
    }
    if (!acknowledged) return silentMs > ACK_TIMEOUT_MS ? "UNACKNOWLEDGED" : null;
    return heartbeatMs !== null && silentMs > heartbeatMs ? "HEARTBEAT_TIMEOUT" : null;
  }

  async #give(handOut: HandOut, end: ReturnReason | "HEARTBEAT_TIMEOUT"): Promise<void> {
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

  /** Reads the runs that nobody has said anything about since their takeover. */
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
