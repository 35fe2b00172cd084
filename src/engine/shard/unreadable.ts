/**
 * Runs that cannot be read: records of a newer build, a damaged journal, a flow version that is gone.
 *
 *   read fails → header says QUARANTINED, nothing wakes or moves the run → TerminateRun ends it unread
 *                                  └── a build that can read it is asked for it → held in its journal as well → ResumeRun releases it
 *
 * One such run costs nobody else anything: it leaves what is listed at takeovers and by the timers.
 */
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import { shardOfRun } from "../../base/ids.ts";
import { isValidTime } from "../../base/time/time-range.ts";
import type { RunEvent } from "../machine/events.ts";
import { createState, type RunState } from "../machine/state.ts";
import type { Caller } from "../ports/caller.ts";
import type { StoredRun } from "../ports/journal.ts";
import type { Cell } from "./cell.ts";
import { tellParent } from "./effects.ts";
import type { RuntimeObserver, RuntimeParts } from "./runtime-parts.ts";

/** What setting runs aside needs of the runtime. */
export interface UnreadableHost {
  readonly parts: RuntimeParts;
  readonly observers: readonly RuntimeObserver[];
  readonly stopping: boolean;
  now(): number;
  epochOf(shard: number): number | undefined;
  cellOf(runId: string): Promise<Cell>;
  post(cell: Cell, event: RunEvent): void;
  recover(cell: Cell, clean: boolean): Promise<void>;
}

/** Does `read`. What fails for the run's own sake, not for the store's, becomes RUN_UNREADABLE. */
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

/** Throws RUN_NOT_FOUND in place of `error` when the run that cannot be read is not the tenant's. */
export async function throwUnreadable(
  host: { readonly parts: RuntimeParts },
  tenantId: string,
  runId: string,
  error: unknown,
): Promise<never> {
  const header = isUnreadable(error) ? await host.parts.journal.findHeader(runId) : null;
  if (header !== null && header.tenantId !== tenantId) throw toError("RUN_NOT_FOUND", { runId });
  throw error;
}

/** Puts the header of a run that could not be read into quarantine, if it is ours. Never rejects: when it cannot be written, the next touch tries again. */
export async function setRunAside(host: UnreadableHost, runId: string, cause: OrchestratorError): Promise<void> {
  const { parts } = host;
  const shard = shardOfRun(runId, parts.shards);
  const epoch = host.epochOf(shard);
  if (epoch === undefined) return;
  try {
    if (!(await parts.journal.setAside({ shard, epoch }, runId))) return;
    parts.log.error("a run cannot be read; it is put into quarantine", { runId, error: cause });
    for (const observer of host.observers) observer.setAside?.(runId, "UNREADABLE");
  } catch (error) {
    parts.log.warn("a run that cannot be read could not be put into quarantine", { runId, error });
  }
}

/** A run that was set aside and can be read now stays held until somebody releases it; from now on its journal says so too. */
export function holdAgain(host: UnreadableHost, cell: Cell, { header }: StoredRun): void {
  if (header.state !== "QUARANTINED" || cell.run.state.holds.some((hold) => hold.kind === "quarantine")) return;
  const why = "the run could not be read before";
  host.post(cell, { type: "hold", at: host.now(), hold: "quarantine", by: "orchestrator", why });
  void host.recover(cell, true);
}

/** Ends a run of the caller that cannot be read. Errors: RUN_NOT_FOUND, RUN_FINISHED, RUN_MOVED. */
export async function terminateUnread(
  host: UnreadableHost,
  { tenantId, actor: by }: Caller,
  runId: string,
  reason: string,
): Promise<RunState> {
  const { journal, shards } = host.parts;
  const header = await journal.findHeader(runId);
  if (header === null || header.tenantId !== tenantId) throw toError("RUN_NOT_FOUND", { runId });
  if (header.endedAt !== null) throw toError("RUN_FINISHED", { runId, state: header.state });
  const shard = shardOfRun(runId, shards);
  const epoch = host.epochOf(shard);
  const at = host.now();
  const record = { type: "run.terminated", at, reason, by } as const;
  const ended = epoch === undefined ? null : await journal.endUnread({ shard, epoch }, runId, record);
  if (ended === null) throw toError("RUN_MOVED", { runId });
  const { flowId, version, flowHash: hash, createdAt, deadlineAt, labels, userId, correlationId, runKey } = header;
  const state = createState(runId);
  const error = { type: "TERMINATED", message: reason, task: null };
  const { sequence, parent } = ended;
  if (parent !== null) tellParent(host, runId, shard, parent, { phase: "TERMINATED", output: null, error });
  return Object.assign(state, {
    ...{ tenantId, flowId, version, hash, deadlineAt, error },
    cause: { end: "terminated", compensate: false, reason, by, error: null },
    createdAt: isValidTime(createdAt) ? createdAt : at,
    facts: { ...state.facts, labels, userId, correlationId, runKey },
    phase: "TERMINATED",
    sequence,
    updatedAt: at,
    endedAt: at,
  } satisfies Partial<RunState>);
}
