/**
 * Handles transitions that were not written and entities that cannot continue: callers get an error, and memory returns
 * to the state of the journal.
 */
import { isOrchestratorError, toError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import type { Refusal } from "../../ports/journal.ts";
import type { RuntimeObserver } from "../observer.ts";
import type { DatabaseClock } from "../ownership/database-clock.ts";
import type { OwnedShards } from "../ownership/owned-shards.ts";
import { logFieldsOf, type Reply, type Resident, StartOutdated, StartTaken, takeReplies } from "../resident.ts";
import type { Entry } from "./entry.ts";
import type { Reload } from "./reload.ts";

export class FailedCommits {
  readonly #shards: OwnedShards;
  readonly #reload: Reload;
  readonly #clock: DatabaseClock;
  readonly #log: Log;
  readonly #observer: RuntimeObserver;

  constructor(shards: OwnedShards, reload: Reload, clock: DatabaseClock, log: Log, observer: RuntimeObserver) {
    this.#shards = shards;
    this.#reload = reload;
    this.#clock = clock;
    this.#log = log;
    this.#observer = observer;
  }

  /**
   * The journal refused a transition: its shard is lost, its start key is taken, its flow version is gone, or its timer
   * is ahead of the database's clock.
   */
  refused(entry: Entry, why: Refusal["why"]): void {
    const { resident } = entry;
    resident.committing = false;
    switch (why) {
      case "fenced":
        for (const reply of entry.replies) reply.reject(resident.kind.toError("moved", resident.id));
        // Removed with its shard before; the shard may be ours again.
        if (resident.gone) return;
        this.#log.warn("a shard was lost: its transitions were refused", {
          shard: resident.shard,
          ...logFieldsOf(resident),
        });
        this.#observer.fenced(resident.shard);
        this.#shards.lose(resident.shard);
        return;
      case "taken":
        failPoint("start.taken");
        resident.home.drop(resident);
        for (const reply of [...entry.replies, ...takeReplies(resident)]) reply.reject(new StartTaken(resident.id));
        return;
      case "gone":
        resident.home.drop(resident);
        for (const reply of [...entry.replies, ...takeReplies(resident)]) reply.reject(new StartOutdated(resident.id));
        return;
      case "early":
        this.#reload.begin(
          resident,
          entry.events.filter((event) => event.type !== "due"),
          entry.replies,
        );
    }
  }

  /**
   * The store always refuses the transition: callers get STORE_REJECTED, and the entity is quarantined, or removed from
   * memory if even that cannot be written.
   */
  poisoned(entry: Entry, cause: unknown): void {
    const { resident } = entry;
    const { name } = resident.kind;
    resident.committing = false;
    const refusal = toError("STORE_REJECTED", { problem: `a value of this ${name} cannot be stored` }, { cause });
    for (const reply of entry.replies) reply.reject(refusal);
    // Even the hold cannot be written: nothing can be done for this entity here.
    const hopeless = entry.events.every(
      (event) => "hold" in event && event.type === "hold" && event.hold === "quarantine",
    );
    const what = hopeless
      ? `the store refuses every write of this ${name}`
      : `the store refuses a transition of this ${name}`;
    this.#log.error(what, { ...logFieldsOf(resident), error: cause });
    if (hopeless || entry.isStart) {
      for (const reply of takeReplies(resident)) reply.reject(refusal);
      resident.home.drop(resident);
      return;
    }
    this.quarantine(resident, cause, null);
  }

  /**
   * The store is unreachable and the transition was not written. A start fails and is forgotten; callers of an existing
   * entity get an error. Returns whether to retry the transition.
   */
  unavailable(entry: Entry, cause: unknown): boolean {
    const { resident } = entry;
    const again = !entry.isStart && !resident.gone;
    const refusal = toUnwritten(again, cause);
    for (const reply of [...entry.replies.splice(0), ...takeReplies(resident)]) reply.reject(refusal);
    if (entry.isStart) resident.home.drop(resident);
    return again;
  }

  /** The store is unreachable, and `resident` waits for a later batch: its callers get an error. */
  waiting(resident: Resident, cause: unknown): void {
    const refusal = toUnwritten(resident.started || resident.committing, cause);
    for (const reply of takeReplies(resident)) reply.reject(refusal);
    if (!resident.started && !resident.committing) resident.home.drop(resident);
  }

  /**
   * Stops an entity that the engine or the store cannot continue with: its state is read back and held, and everything
   * else continues.
   */
  quarantine(resident: Resident, cause: unknown, reply: Reply | null): void {
    const { kind, id } = resident;
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#log.error(`a ${kind.name} is put into quarantine`, { ...logFieldsOf(resident), error: cause });
    for (const waiting of [...resident.replies, ...(reply === null ? [] : [reply])])
      waiting.reject(kind.toError("quarantined", id, why, cause));
    resident.replies = [];
    if (!resident.started && !resident.committing) {
      resident.home.drop(resident);
      return;
    }
    const at = this.#clock.now();
    resident.events = [{ type: "hold", at, hold: "quarantine", by: "orchestrator", why }];
    // While a transition is in flight the store shows the state before it or after it: the pipeline begins the reload
    // when it is settled.
    if (resident.committing) this.#reload.freeze(resident);
    else this.#reload.begin(resident, [], []);
  }
}

/** Error for callers while the store is away. With `again` the change is retried until it is written. */
function toUnwritten(again: boolean, cause: unknown): Error {
  // The error names its fix; the transition of an existing entity is written once there is space.
  if (isOrchestratorError(cause) && cause.code === "STORE_FULL") return cause;
  const problem = again ? "the change is not written yet, but may be later" : "the change was not written";
  return toError("STORE_UNAVAILABLE", { problem }, { cause });
}
