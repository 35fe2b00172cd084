/**
 * Takes the pages of an operation: lists the next runs, does to each what the operation wants, and reports.
 *
 * A page that is lost with its owner is taken again by the next one. Each call on a run carries a request id that
 * operation and run give, so a run that was changed before is found changed and counts as done, once.
 */
import { isOrchestratorError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Caller } from "../ports/caller.ts";
import { MAX_FAILURES, type OperationFailure, type OperationProgress, type RunActions } from "../ports/operations.ts";
import type { Filter, RunIndex } from "../ports/run-index.ts";
import type { Lifecycle } from "../shard/lifecycle.ts";
import type { DatabaseClock } from "../shard/ownership/database-clock.ts";
import { retryUntil } from "../shard/retry-until.ts";
import type { Submission } from "../shard/submission/submission.ts";
import type { OperationResident } from "./operation-rules.ts";
import { hasEnded, type OperationState, type PageResult } from "./operation-state.ts";
import { Slots } from "./slots.ts";

/** Runs of a page: what may be done again after a crash, and how often progress is written. */
const PAGE = 200;

/** Runs that an operation changes at the same time. */
const PARALLEL = 16;

/**
 * Lists and changes of runs under way for all operations of an instance: callers share the database with them, and one
 * operation whose runs cannot be reached leaves room for the others.
 */
const AT_ONCE = 24;

/**
 * How long a call on a run that may be retried is retried, milliseconds: longer than an instance keeps its shards after
 * its death, and than a database takes to come back from a restart.
 */
const PATIENCE_MS = 120_000;

/** What callers are told of an error that is a bug. */
const INTERNAL = "an internal error; the log of the service has it";

export interface PageRunnerParts {
  readonly runIndex: Pick<RunIndex, "listRuns">;
  readonly actions: RunActions;
  readonly submission: Submission;
  readonly clock: DatabaseClock;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
}

interface Page {
  readonly runIds: readonly string[];
  readonly progress: OperationProgress;
  readonly last: boolean;
}

/** Takes pages. */
export class PageRunner {
  readonly #parts: PageRunnerParts;
  readonly #slots = new Slots(AT_ONCE);

  constructor(parts: PageRunnerParts) {
    this.#parts = parts;
  }

  /** Takes the next page, unless one is under way. An operation that has ended takes no more. */
  begin(resident: OperationResident): void {
    const { work, entity } = resident;
    if (hasEnded(entity)) this.stop(resident);
    // The next owner goes on.
    if (hasEnded(entity) || work.page !== null || resident.gone || this.#parts.lifecycle.draining) return;
    const page = new AbortController();
    work.page = page;
    this.#take(resident, page.signal).catch((error: unknown) => {
      if (work.page === page) work.page = null;
      if (!this.#isOver(page.signal)) this.#fail(resident, error);
    });
  }

  /** Stops the page that is in progress. */
  stop({ work }: OperationResident): void {
    work.page?.abort();
    work.page = null;
  }

  async #take(resident: OperationResident, signal: AbortSignal): Promise<void> {
    const { submission, clock } = this.#parts;
    const { pages, tenantId, by: actor } = resident.entity;
    const caller: Caller = { tenantId, actor };
    const page = await this.#nextPage(caller, resident, signal);
    const result = await this.#changeAll(caller, resident, page.runIds, signal);
    // Not reported, it is taken again: by the next owner.
    if (this.#isOver(signal)) return;
    resident.work.page = null;
    // The operation was read again meanwhile, and this page was reported before.
    if (resident.entity.pages !== pages) {
      this.begin(resident);
      return;
    }
    // Of a canceled operation runs of the page may be left.
    const last = page.last && resident.entity.state === "RUNNING";
    submission.post(resident, { type: "page", at: clock.now(), pages, progress: page.progress, last, ...result });
  }

  /** Ends an operation that cannot go on, whatever is tried. */
  #fail(resident: OperationResident, error: unknown): void {
    const { submission, clock, log } = this.#parts;
    const { operationId } = resident.entity;
    log.error("an operation cannot go on", { operationId, error });
    const why = isOrchestratorError(error) ? error.message : INTERNAL;
    submission.post(resident, { type: "hold", at: clock.now(), hold: "quarantine", by: "orchestrator", why });
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#parts.lifecycle.draining || this.#parts.lifecycle.stopping;
  }

  /** Lists the next runs. A canceled operation has none. */
  async #nextPage(caller: Caller, resident: OperationResident, signal: AbortSignal): Promise<Page> {
    const isCanceled = (): boolean => resident.entity.state === "CANCELING";
    const none: Page = { runIds: [], progress: resident.entity.progress, last: false };
    if (isCanceled()) return none;
    try {
      return await retryUntil(
        this.#parts.log,
        () => this.#slots.use(() => this.#list(caller, resident.entity, signal)),
        () => isCanceled() || this.#isOver(signal),
      );
    } catch (error) {
      if (isCanceled()) return none;
      throw error;
    }
  }

  async #list(caller: Caller, state: OperationState, signal: AbortSignal): Promise<Page> {
    const { target, progress, createdAt } = state;
    if (target.type === "runs") {
      const from = typeof progress === "number" ? progress : 0;
      const to = Math.min(from + PAGE, target.runIds.length);
      return { runIds: target.runIds.slice(from, to), progress: to, last: to === target.runIds.length };
    }
    // The place of a damaged row may be a time for which JSON has no number.
    const after =
      typeof progress === "number" || progress === null
        ? null
        : { ...progress, createdAt: progress.createdAt ?? Number.NEGATIVE_INFINITY };
    const filter: Filter = withCutoff(target.filter, createdAt);
    const headers = await this.#parts.runIndex.listRuns(caller, filter, after, PAGE, signal, "oldest");
    const end = headers.at(-1);
    return {
      runIds: headers.map(({ runId }) => runId),
      progress: end === undefined ? after : { createdAt: end.createdAt, runId: end.runId },
      last: headers.length < PAGE,
    };
  }

  async #changeAll(
    caller: Caller,
    resident: OperationResident,
    runIds: readonly string[],
    signal: AbortSignal,
  ): Promise<Pick<PageResult, "done" | "failed" | "failures">> {
    let next = 0;
    let done = 0;
    const failures: OperationFailure[] = [];
    let failed = 0;
    const change = async (): Promise<void> => {
      for (let runId = runIds[next++]; runId !== undefined; runId = runIds[next++]) {
        try {
          if (!(await this.#changeOne(caller, resident, runId, signal))) return;
          done += 1;
        } catch (error) {
          failed += 1;
          if (failures.length < MAX_FAILURES) failures.push(this.#toFailure(resident, runId, error));
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, runIds.length) }, change));
    return { done, failed, failures };
  }

  /** Changes a run. False when the operation is canceled or stops: runs that are not under way are left alone. */
  #changeOne(caller: Caller, resident: OperationResident, runId: string, signal: AbortSignal): Promise<boolean> {
    const { actions, log } = this.#parts;
    const { action, runRequestId } = resident.entity;
    const isEnding = (): boolean => resident.entity.state === "CANCELING" || this.#isOver(signal);
    let giveUpAt = Number.POSITIVE_INFINITY;
    return retryUntil(
      // While the store is away, all runs of a page fail alike.
      { warn: (message, fields) => log.debug(message, { ...fields, runId }) },
      () =>
        this.#slots.use(async () => {
          if (isEnding()) return false;
          await actions.apply(caller, action, runId, runRequestId, signal);
          return true;
        }),
      () => {
        giveUpAt = Math.min(giveUpAt, performance.now() + PATIENCE_MS);
        return performance.now() >= giveUpAt || isEnding();
      },
    );
  }

  #toFailure({ entity: { operationId } }: OperationResident, runId: string, error: unknown): OperationFailure {
    if (isOrchestratorError(error)) return { runId, code: error.code, message: error.message.slice(0, 500) };
    this.#parts.log.error("an operation could not change a run", { operationId, runId, error });
    return { runId, code: "INTERNAL", message: INTERNAL };
  }
}

/** Leaves out runs that were created after the operation started. */
export function withCutoff(filter: Filter, createdAt: number): Filter {
  return { op: "and", args: [filter, { op: "<=", field: { name: "create_time" }, value: createdAt }] };
}
