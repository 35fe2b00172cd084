/** Brings memory and journal together again after a commit that was lost, refused, or whose outcome nobody knows. */
import { isOrchestratorError, toError } from "../../base/errors.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import type { RunEvent } from "../machine/events.ts";
import { openRun, type Run } from "../machine/run.ts";
import { createState } from "../machine/state.ts";
import type { Move, StoredRun } from "../ports/journal.ts";
import { type Cell, isClean, logFieldsOf, noteSize, type Reply, takeReplies } from "./cell.ts";
import { insist } from "./insist.ts";
import type { Entry, Lane } from "./lane.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import { isUnreadable, readRun, setRunAside, type UnreadableHost } from "./unreadable.ts";

/** What restoring needs of the runtime. */
export interface RestoreHost extends UnreadableHost {
  readonly parts: RuntimeParts;
  readonly stopping: boolean;
  shardsOf(lane: Lane): readonly number[];
  setEpoch(shard: number, epoch: number): void;
  loseShard(shard: number): void;
  openStored(stored: StoredRun): Promise<Run>;
  decide(cell: Cell, event: RunEvent, reply: Reply | null): void;
  decideNow(cell: Cell, event: RunEvent, reply: Reply | null): void;
  committed(entry: Entry): void;
  told(entry: Entry): void;
  refused(entry: Entry, why: "taken"): void;
  drop(cell: Cell): void;
  arm(cell: Cell): void;
}

/** Reads a run again from the store, decides `events` once more, and goes on. Events that arrive meanwhile wait. */
export function restoreCell(
  host: RestoreHost,
  cell: Cell,
  events: readonly RunEvent[],
  replies: readonly Reply[],
): void {
  freeze(cell);
  void (async () => {
    try {
      await reread(host, cell, await load(host, cell));
      if (cell.gone) throw toError("RUN_MOVED", { runId: cell.runId });
      thaw(host, cell, events, replies);
      host.arm(cell);
    } catch (error) {
      abandon(host, cell, replies, error);
    }
  })();
}

/**
 * Finds out what became of a batch. Raising the epochs waits for the statement to end, if it still runs: from then on it has been committed or never will be.
 * Moves that are in the journal are acted upon; the events behind the others are decided again.
 */
export async function resolveUnknown(host: RestoreHost, lane: Lane, entries: readonly Entry[]): Promise<void> {
  const { leases, log } = host.parts;
  const shards = host.shardsOf(lane);
  for (const { cell } of entries) freeze(cell);
  const raised = await insist(
    log,
    () => leases.raise(shards),
    (error) => {
      for (const entry of entries) tellUnknown(entry, error);
      lane.refuseWaiting(error);
      return host.stopping;
    },
  ).catch((error: unknown) => {
    // Nothing is known of these shards any more: they leave, and are taken anew when the store answers.
    log.error("the epochs of shards could not be raised", { lane: lane.index, error });
    return [];
  });
  failPoint("unknown.raised");
  const kept = new Map(raised.map((lease) => [lease.shard, lease.epoch]));
  for (const shard of shards) {
    const epoch = kept.get(shard);
    if (epoch === undefined) host.loseShard(shard);
    else host.setEpoch(shard, epoch);
  }
  for (const entry of entries) {
    try {
      await resolveEntry(host, entry);
    } catch (error) {
      abandon(host, entry.cell, entry.replies, error);
    }
  }
}

/** What callers hear while the store is away. With `again` the change is tried until it is written. */
export function toUnwritten(again: boolean, cause: unknown): Error {
  // Says its cure; the move of a known run is written when there is room.
  if (isOrchestratorError(cause) && cause.code === "STORE_FULL") return cause;
  const problem = again ? "the change is not written yet; it may still be" : "the change was not written";
  return toError("STORE_UNAVAILABLE", { problem }, { cause });
}

/** The store stays away: callers are told that nobody knows. A start that turns out not to be written is then not made again. */
function tellUnknown({ cell, replies, move }: Entry, cause: unknown): void {
  const problem = "the connection broke while the change was written; with the same request_id it may be sent again";
  const refusal = toError("STORE_UNAVAILABLE", { problem }, { cause });
  // A child's start is made all the same: its parent waits for it, whatever it was told.
  if (move.start !== null && move.start.parentRunId === "" && replies.length > 0) cell.forsaken = true;
  for (const reply of [...replies.splice(0), ...takeReplies(cell)]) reply.reject(refusal);
}

async function resolveEntry(host: RestoreHost, entry: Entry): Promise<void> {
  const { cell, move, events, replies } = entry;
  if (cell.gone) throw toError("RUN_MOVED", { runId: cell.runId });
  const stored = await load(host, cell);
  const landed = stored !== null && isWritten(stored, move);
  // Another run has this id: the start would not have been written.
  if (stored !== null && !landed && move.start !== null) {
    host.refused(entry, "taken");
    return;
  }
  if (stored === null && cell.forsaken) {
    host.drop(cell);
    return;
  }
  await reread(host, cell, stored);
  if (cell.gone) throw toError("RUN_MOVED", { runId: cell.runId });
  // Still frozen: what follows from the move at once is decided after what was decided before it.
  if (landed) {
    host.committed(entry);
    host.told(entry);
  }
  thaw(host, cell, landed ? [] : events, landed ? [] : replies);
  if (!cell.gone) host.arm(cell);
}

/** True when the journal holds this very move, and not another that came to stand in its place. */
function isWritten(stored: StoredRun, move: Move): boolean {
  const first = stored.records[move.sequence - 1];
  return first !== undefined && JSON.stringify(first) === JSON.stringify(move.records[0]);
}

function load(host: RestoreHost, cell: Cell): Promise<StoredRun | null> {
  const { journal, log } = host.parts;
  return insist(
    log,
    () => readRun(cell.runId, () => journal.loadRun(cell.runId)),
    () => host.stopping || cell.gone,
  );
}

/** Gives up a run that cannot be read back: it leaves memory, those who wait are told, everybody else goes on. */
function abandon(host: RestoreHost, cell: Cell, replies: readonly Reply[], cause: unknown): void {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  if (!cell.gone) {
    host.parts.log.error("a run cannot be read back; it leaves memory", { ...logFieldsOf(cell), error });
    host.drop(cell);
    if (isUnreadable(error)) void setRunAside(host, cell.runId, error);
  }
  for (const reply of [...replies, ...takeReplies(cell)]) reply.reject(error);
}

function freeze(cell: Cell): void {
  cell.frozen = true;
  cell.lane.forget(cell);
}

/** Puts the state of the store back into a cell. */
async function reread(host: RestoreHost, cell: Cell, stored: StoredRun | null): Promise<void> {
  if (stored === null) {
    cell.run = openRun(createState(cell.runId), cell.run.plan);
    cell.started = false;
    return;
  }
  cell.run = await insist(
    host.parts.log,
    () => host.openStored(stored),
    () => host.stopping || cell.gone,
  );
  cell.started = true;
  noteSize(cell, stored.size);
  // It may have been cut in the middle: a turn finds out.
  cell.run.unsettled = stored.moving;
  cell.shown = { state: stored.header.state, moving: stored.moving, wakeAt: stored.wakeAt };
}

/** Decides again what was lost, then what was pending, then what arrived meanwhile. */
function thaw(host: RestoreHost, cell: Cell, events: readonly RunEvent[], replies: readonly Reply[]): void {
  const again = [...events, ...cell.events];
  const waiting = [...replies, ...cell.replies];
  const { backlog } = cell;
  cell.pending = [];
  cell.pendingSize = 0;
  cell.events = [];
  cell.replies = [];
  cell.backlog = [];
  cell.dueAt = 0;
  cell.flying = false;
  cell.frozen = false;
  // Those who wait for them are answered with the next move, so all of them go into it.
  for (const event of again) host.decideNow(cell, event, null);
  if (isClean(cell)) for (const reply of waiting) reply.resolve();
  else cell.replies = [...cell.replies, ...waiting];
  for (const { event, reply } of backlog) host.decide(cell, event, reply);
}
