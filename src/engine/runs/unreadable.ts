/**
 * Runs that cannot be read: records of a newer build, a damaged journal, a flow version that is gone.
 *
 *   read fails → header says QUARANTINED, nothing wakes or moves the run → TerminateRun ends it unread
 *                                  └── a build that can read it opens it → held in its journal as well → ResumeRun releases it
 *
 * One such run costs nothing else: it leaves what is listed at takeovers and by the timers.
 */
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import type { Journal } from "../ports/journal.ts";

/** Does `read`. What fails because of the run itself, not because of the store, becomes RUN_UNREADABLE. */
export async function readRun<T>(runId: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isOrchestratorError(error) && (error.retry !== "no" || OURS.test(error.code))) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw toError("RUN_UNREADABLE", { runId, why }, { cause: error });
  }
}

/** Errors that say nothing about the run. */
const OURS = /^(STORE_|RUN_|SHUTTING_DOWN)/;

/** True for the error of a run that cannot be read. */
export function isUnreadable(error: unknown): error is OrchestratorError {
  return isOrchestratorError(error) && error.code === "RUN_UNREADABLE";
}

/** Throws RUN_NOT_FOUND instead of `error` when the run that cannot be read is not the tenant's. */
export async function throwUnreadable(
  journal: Pick<Journal, "findHeader">,
  tenantId: string,
  runId: string,
  error: unknown,
): Promise<never> {
  const header = isUnreadable(error) ? await journal.findHeader(runId) : null;
  if (header !== null && header.tenantId !== tenantId) throw toError("RUN_NOT_FOUND", { runId });
  throw error;
}
