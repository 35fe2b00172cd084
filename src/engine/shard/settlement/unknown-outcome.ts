/**
 * Determines the outcome of a batch whose connection broke.
 *
 *   frozen (its entities decide nothing) → fenced (the epochs of its shards are raised, which waits for the statement
 *   to end, if it still runs: from then on it is either committed or never will be) → settled (transitions in the
 *   journal are; the events behind the others are decided again)
 */
import { toError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import type { Transition } from "../../ports/journal.ts";
import type { Lease, Leases } from "../../ports/leases.ts";
import type { StoredEntity } from "../kind.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { OwnedShards } from "../ownership/owned-shards.ts";
import type { Timers } from "../residence/timers.ts";
import { takeReplies } from "../resident.ts";
import { retryUntil } from "../retry-until.ts";
import type { Entry } from "./entry.ts";
import type { FailedCommits } from "./failed-commits.ts";
import type { Reload } from "./reload.ts";
import type { Settlement } from "./settlement.ts";

export interface UnknownOutcomeParts {
  readonly leases: Pick<Leases, "raise">;
  readonly shards: OwnedShards;
  readonly settlement: Settlement;
  readonly failures: FailedCommits;
  readonly reload: Reload;
  readonly timers: Timers;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** Resolves batches with an unknown outcome. */
export class UnknownOutcome {
  readonly #parts: UnknownOutcomeParts;

  constructor(parts: UnknownOutcomeParts) {
    this.#parts = parts;
  }

  /** From now on the events of these entities wait. */
  freeze(entries: readonly Entry[], cause: unknown): void {
    const { reload, log } = this.#parts;
    const fields = { transitions: entries.length, error: cause };
    log.warn("the outcome of a batch is unknown; its shards are fenced and read again", fields);
    for (const { resident } of entries) reload.freeze(resident);
  }

  /**
   * Raises the epochs of the shards of frozen batches. Nothing else of this instance that writes to these shards may be
   * in the store. While the store is away, `refuseWaiting` is called for all other entities.
   */
  async fence(entries: readonly Entry[], refuseWaiting: (cause: unknown) => void): Promise<void> {
    const { shards, log } = this.#parts;
    // The shard of an entity that is gone has another epoch already.
    const ours = [...new Set(entries.flatMap(({ resident }) => (resident.gone ? [] : [resident.shard])))];
    const raised = await this.#raise(ours, entries, refuseWaiting).catch((error: unknown) => {
      // The state of these shards is unknown: they are dropped, and taken again when the store responds.
      log.error("the epochs of shards could not be raised", { shards: ours.length, error });
      return [];
    });
    failPoint("unknown.raised");
    const kept = new Map(raised.map((lease) => [lease.shard, lease.epoch]));
    for (const shard of ours) {
      const epoch = kept.get(shard);
      if (epoch === undefined) shards.lose(shard);
      else shards.setEpoch(shard, epoch);
    }
  }

  /** Resolves when the transitions of a fenced batch are settled or decided again. */
  async settle(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      try {
        await this.#settleEntry(entry);
      } catch (error) {
        this.#parts.reload.abandon(entry.resident, entry.replies, error);
      }
    }
  }

  #raise(
    shards: readonly number[],
    entries: readonly Entry[],
    refuseWaiting: (cause: unknown) => void,
  ): Promise<readonly Lease[]> {
    const { leases, lifecycle, log } = this.#parts;
    return retryUntil(
      log,
      () => leases.raise(shards),
      (error) => {
        for (const entry of entries) refuseUnknown(entry, error);
        refuseWaiting(error);
        return lifecycle.stopping;
      },
    );
  }

  async #settleEntry(entry: Entry): Promise<void> {
    const { settlement, failures, reload, timers } = this.#parts;
    const { resident, transition, events, replies } = entry;
    if (resident.gone) throw resident.kind.toError("moved", resident.id);
    const stored = await reload.load(resident);
    const landed = stored !== null && isWritten(stored, transition);
    // Another entity has this id: the start would not have been written.
    if (stored !== null && !landed && entry.isStart) {
      failures.refused(entry, "taken");
      return;
    }
    if (stored === null && resident.abandoned) {
      resident.home.drop(resident);
      return;
    }
    await reload.reread(resident, stored);
    if (resident.gone) throw resident.kind.toError("moved", resident.id);
    // Still frozen: immediate consequences of the transition are decided after earlier decisions.
    if (landed) {
      settlement.committed(entry);
      settlement.notify(entry);
    }
    reload.thaw(resident, landed ? [] : events, landed ? [] : replies);
    if (!resident.gone) timers.arm(resident);
  }
}

/**
 * The store stays away: callers are told that the outcome is unknown. A start that turns out to be unwritten is then
 * not repeated.
 */
function refuseUnknown({ resident, replies, isStart }: Entry, cause: unknown): void {
  const problem = "the connection broke while the change was written; it can be sent again with the same request_id";
  const refusal = toError("STORE_UNAVAILABLE", { problem }, { cause });
  if (isStart && replies.length > 0 && !resident.kind.rules.mustStart(resident.entity)) resident.abandoned = true;
  for (const reply of [...replies.splice(0), ...takeReplies(resident)]) reply.reject(refusal);
}

/** Whether the journal has this very transition, and not another in its place. */
function isWritten(stored: StoredEntity, transition: Transition): boolean {
  const { records, sequence } = stored;
  const first = records[records.length - 1 - (sequence - transition.sequence)];
  return first !== undefined && JSON.stringify(first) === JSON.stringify(transition.records[0]);
}
