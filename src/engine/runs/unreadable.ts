/**
 * Unreadable runs: records of a newer build, a damaged journal, a missing flow version.
 *
 *   read fails → header says QUARANTINED, nothing wakes or moves the run → TerminateRun ends it unread
 *                                  └── a build that can read it opens it → held in its journal as well → ResumeRun
 *                                  releases it
 *
 * Such a run does not affect others: takeovers and timers no longer list it.
 */
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import type { Journal } from "../ports/journal.ts";

/** Runs `read`. An error caused by the run itself, not by the store, becomes RUN_UNREADABLE. */
export async function readRun<T>(runId: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isOrchestratorError(error) && (error.retry !== "no" || OURS.test(error.code))) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw toError("RUN_UNREADABLE", { runId, why }, { cause: error });
  }
}

/** Errors that are not about the contents of the run. */
const OURS = /^(STORE_|RUN_|SHUTTING_DOWN)/;

/** Whether an error is about an unreadable run. */
export function isUnreadable(error: unknown): error is OrchestratorError {
  return isOrchestratorError(error) && error.code === "RUN_UNREADABLE";
}

/** Throws `error` for an unreadable run, or RUN_NOT_FOUND if another tenant owns it. */
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
