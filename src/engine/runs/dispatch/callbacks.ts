/**
 * Callbacks of calls: their URLs, and what is posted there.
 *
 *   called → answered with success → waits, as a task that is handed out → called back → ended
 *      └── called back before the answer to the call → ended, and the call is aborted
 *
 * The URL names the attempt, not its dispatch: an attempt that is made again after a takeover has the same one, so it
 * does not matter which of its calls the other side took up.
 */
import { fail, isOrchestratorError, toError } from "../../../base/errors.ts";
import type { TaskTokens } from "../../dispatch/tokens.ts";
import type { Outcome } from "../../machine/events.ts";
import { limitOutcome } from "../../machine/sizes.ts";
import type { TaskState } from "../../machine/state.ts";
import { awaitsCallback } from "../../machine/tasks/callbacks.ts";
import type { Callbacks } from "../../ports/dispatch/callbacks.ts";
import type { DatabaseClock } from "../../shard/ownership/database-clock.ts";
import type { Submission } from "../../shard/submission/submission.ts";
import type { RunResidence, RunResident } from "../run-resident.ts";
import { standingOf } from "./standing.ts";

/** Used instead of a tenant, so that a worker cannot use such a token, and a worker's token is not a callback token. */
const SEALED_FOR = ":callback";

/** Attempts to end an attempt whose run has left memory. */
const MAX_TRIES = 5;

export interface RunCallbacksParts {
  readonly residence: RunResidence;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
  readonly tokens: TaskTokens;
  /** Where services reach this one; null if unknown; then no call can have a URL. */
  readonly publicUrl: string | null;
}

/** Callbacks of the runs of this instance. */
export class RunCallbacks implements Callbacks {
  readonly #parts: RunCallbacksParts;

  constructor(parts: RunCallbacksParts) {
    this.#parts = parts;
  }

  /** The URL for an attempt; null when there is none. */
  urlOf(runId: string, { callToken }: TaskState): string | null {
    const { publicUrl, tokens } = this.#parts;
    if (publicUrl === null) return null;
    return `${publicUrl.replace(/\/$/, "")}/v1/callbacks/${tokens.seal(SEALED_FOR, { runId, fence: callToken })}`;
  }

  async answer(token: string, told: Outcome): Promise<void> {
    const ref = this.#parts.tokens.open(SEALED_FOR, token);
    if (ref === null) return fail("CALLBACK_NOT_FOUND", {});
    const outcome = limitOutcome(told);
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      const resident = await this.#open(ref.runId);
      const task = taskOf(resident, ref.fence);
      if (task === undefined)
        return fail("CALLBACK_OUTDATED", { problem: "another attempt has begun since", state: "RUNNING" });
      if (!awaitsCallback(task)) return this.#again(resident, task, outcome);
      const { submission, clock } = this.#parts;
      const { path, token: fence } = task;
      const random = Math.random();
      const hasChanged = await submission.submit(resident, {
        type: "reported",
        at: clock.now(),
        task: path,
        token: fence,
        outcome,
        random,
      });
      // Nothing has changed: the attempt ended while the answer waited. Still waiting: the memory of the run was lost,
      // and the attempt is dispatched anew.
      const after = taskOf(resident, ref.fence);
      if (hasChanged && (after === undefined || !awaitsCallback(after))) return;
    }
    throw toError("RUN_MOVED", { runId: ref.runId });
  }

  async #open(runId: string): Promise<RunResident> {
    try {
      return await this.#parts.residence.open(runId);
    } catch (error) {
      if (isOrchestratorError(error) && error.code === "RUN_NOT_FOUND") return fail("CALLBACK_NOT_FOUND", {});
      throw error;
    }
  }

  /** The answer to a callback for an attempt that is over, once its end is durable. */
  async #again(resident: RunResident, task: TaskState, outcome: Outcome): Promise<void> {
    const { submission, clock } = this.#parts;
    const standing = standingOf(task, outcome);
    if (!resident.gone) await submission.submit(resident, { type: "due", at: clock.now(), by: 0, random: 0 });
    if (standing === "accepted") return;
    const { state, error } = task;
    const outputType = typeof standing === "string" ? "" : standing.outputType;
    return fail("CALLBACK_OUTDATED", {
      problem: `the attempt has ended, and the task is ${state}`,
      state,
      ...(outputType === "" ? {} : { outputType }),
      ...(error === null ? {} : { errorType: error.type }),
    });
  }
}

function taskOf({ entity: { state } }: RunResident, callToken: number): TaskState | undefined {
  for (const task of state.tasks.values()) if (task.callToken === callToken) return task;
  return undefined;
}
