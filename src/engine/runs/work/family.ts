/**
 * Messages between parent and child runs, which live on the same shard. They have no record: a new owner of the shard
 * compares the runs instead.
 */
import type { JsonObject } from "../../../base/json/json.ts";
import type { Log } from "../../../base/log.ts";
import { failPoint } from "../../../base/process/fail-points.ts";
import type { ChildEnd, RunEvent } from "../../machine/events.ts";
import type { TaskState } from "../../machine/state.ts";
import type { Lifecycle } from "../../shard/lifecycle.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { OwnedShards } from "../../shard/ownership/owned-shards.ts";
import { retryUntil } from "../../shard/retry-until.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunResidence, RunResident } from "../run-resident.ts";

export interface FamilyParts {
  readonly residence: RunResidence;
  readonly submission: Submission;
  readonly shards: OwnedShards;
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

/** Sends events to parents and children. */
export class Family {
  readonly #parts: FamilyParts;

  constructor(parts: FamilyParts) {
    this.#parts = parts;
  }

  /** Notifies the task that waits for the child run `runId` of its end. */
  notifyParent(
    runId: string,
    shard: number,
    parent: { readonly runId: string; readonly task: string },
    end: ChildEnd,
  ): void {
    failPoint("parent.tell");
    const { task } = parent;
    this.send(shard, parent.runId, (at) => ({ type: "child", at, task, runId, end, random: Math.random() }));
  }

  /** Ends the child run that an ending task waited for, by its close policy. */
  closeChild(resident: RunResident, task: TaskState | undefined): void {
    if (task?.wait?.kind !== "run") return;
    const { submission, clock } = this.#parts;
    const { runId } = task.wait;
    const policy = (task.input as JsonObject | undefined)?.close_policy ?? "cancel";
    if (policy === "abandon") {
      const end = { phase: "CANCELED", output: null, error: null } as const;
      submission.post(resident, { type: "child", at: clock.now(), task: task.path, runId, end, random: 0 });
      return;
    }
    const reason = `the run ${resident.id} that started this one is ending`;
    const compensate = resident.entity.state.cause?.compensate ?? false;
    this.send(resident.shard, runId, (at) =>
      policy === "terminate"
        ? { type: "terminate", at, by: "orchestrator", reason }
        : { type: "cancel", at, by: "orchestrator", reason, compensate },
    );
  }

  /** Submits an event to another run of the family. Retries while the store is away. */
  send(shard: number, runId: string, toEvent: (at: number) => RunEvent): void {
    const { residence, submission, shards, clock, lifecycle, log } = this.#parts;
    const isOver = (): boolean => lifecycle.stopping || shards.epochOf(shard) === undefined;
    retryUntil(log, () => residence.open(runId), isOver).then(
      (resident) => submission.post(resident, toEvent(clock.now())),
      // A run that cannot be reached here has moved or ended: its owner reads the outcome from the store at takeover.
      () => {},
    );
  }
}
