/**
 * Events that lead to a record which may not be written yet: a live instance cannot read it, or the upgrade is not
 * finalized. Memory returns to the state of the journal, and the entity continues.
 *
 *   event ──from a caller──→ refused: UPGRADE_UNDER_WAY, the caller sends it again; or UPGRADE_NOT_FINALIZED
 *     └── from here (a result, a timer, a takeover) → held back ──it may be written, or the entity has committed
 *         something else──→ decided again
 *
 * While a timer or a time slice is held back, the entity has neither. What is held back is in memory only: if the shard
 * moves, the next owner makes the attempts again whose results are lost, as after any loss of an owner.
 */
import { toError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import type { EntityTypes } from "../kind.ts";
import type { NotWritableYet } from "../ownership/journal-format.ts";
import type { Residence } from "../residence/residence.ts";
import type { Timers } from "../residence/timers.ts";
import { type EventOf, logFieldsOf, type Reply, type Resident } from "../resident.ts";
import type { Submission } from "../submission/submission.ts";
import type { Reload } from "./reload.ts";

/** When a refused caller should try again, milliseconds: the view of the other instances is some seconds old. */
const RETRY_AFTER_MS = 2_000;

export interface HeldBackParts {
  readonly residences: readonly Residence[];
  readonly reload: Reload;
  readonly timers: Timers;
  readonly submission: Submission;
  readonly log: Log;
}

/** Refuses and holds back events. */
export class HeldBackEvents {
  readonly #parts: HeldBackParts;
  /** One line in the log for an upgrade, however many entities wait. */
  #told = false;

  constructor(parts: HeldBackParts) {
    this.#parts = parts;
  }

  /** Memory of `resident` is ahead by what `event` would have written. */
  refuse(resident: Resident, error: NotWritableYet, event: EventOf<EntityTypes>, reply: Reply | null): void {
    const { reload } = this.#parts;
    const details = { what: error.what };
    const options = { cause: error, retryAfterMs: RETRY_AFTER_MS };
    const refusal = error.readable
      ? toError("UPGRADE_NOT_FINALIZED", details, { cause: error })
      : toError("UPGRADE_UNDER_WAY", details, options);
    reply?.reject(refusal);
    if (reply === null || reply.internal === true) {
      // When events are decided again, nobody knows which of them a waiting caller sent. It may be this one.
      const unknown = toError("UPGRADE_UNDER_WAY", details, { ...options, repeat: "SAME_REQUEST_ID" });
      for (const waiting of resident.replies.splice(0)) waiting.reject(unknown);
      this.#holdBack(resident, event, error);
    }
    if (resident.committing) reload.freeze(resident);
    else if (resident.started || resident.events.length > 0) reload.begin(resident, [], []);
    else resident.home.drop(resident);
  }

  /** Decides again what was held back. */
  retry(resident: Resident): void {
    const { heldBack } = resident;
    if (heldBack === null) return;
    resident.heldBack = null;
    if (resident.gone) return;
    for (const event of heldBack.events) this.#parts.submission.post(resident, event);
    this.#parts.timers.arm(resident);
  }

  /** The same for all entities. */
  retryAll(): void {
    this.#told = false;
    for (const { residents } of this.#parts.residences)
      for (const resident of [...residents.values()]) this.retry(resident);
  }

  #holdBack(resident: Resident, event: EventOf<EntityTypes>, error: NotWritableYet): void {
    if (!this.#told) {
      const fields = { ...logFieldsOf(resident), error };
      this.#parts.log.warn("work waits until what it writes may be written", fields);
    }
    this.#told = true;
    resident.heldBack ??= { events: [], stopped: false };
    // The timer and the time slice come again when they are armed.
    if (event.type === "due" || event.type === "continue") resident.heldBack.stopped = true;
    else resident.heldBack.events.push(event);
  }
}
