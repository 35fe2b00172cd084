/** Runs as callers see them: at a commit, never ahead of the journal. */
import { isOrchestratorError, toError } from "../../../base/errors.ts";
import { foldJournal } from "../../machine/apply.ts";
import { copyState, isTerminalPhase, type RunState } from "../../machine/state.ts";
import type { Caller } from "../../ports/caller.ts";
import type { RunView } from "../../ports/run-reader.ts";
import { waitForEnd } from "../../shard/residence/wait-for-end.ts";
import { type RunResident, shownState } from "../run-resident.ts";
import type { Runs } from "../runs.ts";
import { readRun, throwUnreadable } from "../unreadable.ts";
import { throwMissing } from "./deletion.ts";
import { openRunOf } from "./open-run.ts";

/** Reads runs and waits for them. */
export class RunViews {
  readonly #runs: Runs;

  constructor(runs: Runs) {
    this.#runs = runs;
  }

  /** Errors: RUN_NOT_FOUND, RUN_DELETED, RUN_UNREADABLE. */
  async getRun({ tenantId }: Caller, runId: string): Promise<RunView> {
    const { residence, journal } = this.#runs;
    const resident = residence.get(runId);
    const shown = resident === undefined ? null : shownState(resident);
    const state =
      shown ?? (await this.#loadState(runId).catch((error) => throwUnreadable(journal, tenantId, runId, error)));
    if (state === null || state.tenantId !== tenantId) return throwMissing(journal, tenantId, runId);
    return { state: resident === undefined ? state : copyState(state) };
  }

  /** Resolves with the run when it has ended, `waitMs` have passed, the signal aborts, or the service drains. */
  async waitRun(caller: Caller, runId: string, waitMs: number, signal: AbortSignal): Promise<RunView> {
    const view = await this.getRun(caller, runId);
    if (isTerminalPhase(view.state.phase) || waitMs <= 0) return view;
    // With an immediate response, a caller that waits in a loop would never pause.
    if (this.#runs.lifecycle.draining) throw toError("SHUTTING_DOWN");
    const resident = await openRunOf(this.#runs, caller, runId).catch((error: unknown) => {
      if (isOrchestratorError(error) && error.code === "RUN_FINISHED") return null;
      throw error;
    });
    return resident === null ? this.getRun(caller, runId) : this.waitFor(resident, waitMs, signal);
  }

  /** The same for a run in memory. */
  waitFor(resident: RunResident, waitMs: number, signal?: AbortSignal): Promise<RunView> {
    const { residence, lifecycle } = this.#runs;
    const { id } = resident;
    // No `await`: a suspended function would keep the resident in memory.
    return waitForEnd(residence, lifecycle, resident, waitMs, signal).then((last) =>
      last === null ? this.#storedView(id) : this.viewOf(last),
    );
  }

  /** The run as it is in the journal. */
  async viewOf(resident: RunResident): Promise<RunView> {
    return this.shown(resident) ?? { state: (await this.#loadState(resident.id)) ?? resident.entity.state };
  }

  /** The same from memory; null while memory is ahead of the journal. */
  shown(resident: RunResident): RunView | null {
    const state = shownState(resident);
    return state === null ? null : { state: isTerminalPhase(state.phase) ? state : copyState(state) };
  }

  async #storedView(runId: string): Promise<RunView> {
    const state = await this.#loadState(runId);
    if (state === null) throw toError("RUN_NOT_FOUND", { runId });
    return { state };
  }

  async #loadState(runId: string): Promise<RunState | null> {
    const { residence, journal } = this.#runs;
    await residence.recovered(runId);
    const stored = await readRun(runId, () => journal.loadRun(runId));
    return stored === null ? null : readRun(runId, () => foldJournal(runId, stored.records));
  }
}
