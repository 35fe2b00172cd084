/** What becomes of moves that were not written, and of runs that cannot go on: callers are told, and memory goes back to what the journal holds. */
import { toError } from "../../base/errors.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import type { Refusal } from "../ports/journal.ts";
import { type Cell, logFieldsOf, type Reply, StartTaken, takeReplies } from "./cell.ts";
import type { Entry } from "./lane.ts";
import { type RestoreHost, restoreCell, toUnwritten } from "./restore.ts";

/** The journal refused a move: its shard is lost, its start key is taken, or its timer is ahead of the database's clock. */
export function endRefused(host: RestoreHost, entry: Entry, why: Refusal["why"]): void {
  const { cell } = entry;
  cell.flying = false;
  switch (why) {
    case "fenced":
      for (const reply of entry.replies) reply.reject(toError("RUN_MOVED", { runId: cell.runId }));
      // Dropped with its shard before; the shard may be ours again.
      if (cell.gone) return;
      host.parts.log.warn("a shard was lost: its moves were refused", { shard: cell.shard, ...logFieldsOf(cell) });
      for (const observer of host.observers) observer.fenced(cell.shard);
      host.loseShard(cell.shard);
      return;
    case "taken":
      failPoint("start.taken");
      host.drop(cell);
      for (const reply of [...entry.replies, ...takeReplies(cell)]) reply.reject(new StartTaken(cell.runId));
      return;
    case "early":
      restoreCell(
        host,
        cell,
        entry.events.filter((event) => event.type !== "due"),
        entry.replies,
      );
  }
}

/** The store will not take a move, whatever is tried: callers get STORE_REJECTED, and the run is put into quarantine, or dropped when not even that can be written. */
export function endPoisoned(host: RestoreHost, entry: Entry, cause: unknown): void {
  const { cell } = entry;
  cell.flying = false;
  const refusal = toError("STORE_REJECTED", { problem: "a value of this run cannot be stored" }, { cause });
  for (const reply of entry.replies) reply.reject(refusal);
  // Not even the hold can be written: nothing can be done for this run here.
  const hopeless = entry.events.every((event) => event.type === "hold" && event.hold === "quarantine");
  const what = hopeless ? "the store refuses whatever is written of this run" : "the store refuses a move of this run";
  host.parts.log.error(what, { ...logFieldsOf(cell), error: cause });
  if (hopeless || entry.move.start !== null) {
    for (const reply of takeReplies(cell)) reply.reject(refusal);
    host.drop(cell);
    return;
  }
  quarantine(host, cell, cause, null);
}

/** The store cannot be reached. A start is given back to its callers and forgotten; callers of a known run are told. True when the move is to be tried again. */
export function endUnavailable(host: RestoreHost, entry: Entry, cause: unknown): boolean {
  const { cell } = entry;
  const again = entry.move.start === null && !cell.gone;
  const refusal = toUnwritten(again, cause);
  for (const reply of entry.replies.splice(0)) reply.reject(refusal);
  if (entry.move.start === null) return again;
  for (const reply of takeReplies(cell)) reply.reject(refusal);
  host.drop(cell);
  return false;
}

/** The store cannot be reached, and `cell` waits behind what could not be written: its callers are told. */
export function endWaiting(host: RestoreHost, cell: Cell, cause: unknown): void {
  const refusal = toUnwritten(cell.started, cause);
  for (const reply of takeReplies(cell)) reply.reject(refusal);
  if (!cell.started && !cell.flying) host.drop(cell);
}

/** Stops a run that the engine or the store cannot go on with: its state is read back and held; everybody else goes on. */
export function quarantine(host: RestoreHost, cell: Cell, cause: unknown, reply: Reply | null): void {
  const why = cause instanceof Error ? cause.message : String(cause);
  host.parts.log.error("a run is put into quarantine", { ...logFieldsOf(cell), error: cause });
  for (const waiting of [...cell.replies, ...(reply === null ? [] : [reply])])
    waiting.reject(toError("RUN_QUARANTINED", { runId: cell.runId, why }, { cause }));
  cell.replies = [];
  cell.events = [];
  if (!cell.started && !cell.flying) {
    host.drop(cell);
    return;
  }
  restoreCell(host, cell, [{ type: "hold", at: host.now(), hold: "quarantine", by: "orchestrator", why }], []);
}
