/** A run in memory, with what is decided but not yet durable, and everybody who waits for it. */

import type { Json } from "../../base/json/json.ts";
import { measureJson } from "../../base/json/json-size.ts";
import type { LogFields } from "../../base/log.ts";
import type { LongTimer } from "../../base/time/long-timer.ts";
import type { RunEvent } from "../machine/events.ts";
import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import { isTerminalPhase, type RunState } from "../machine/state.ts";
import type { StartRow } from "../ports/journal.ts";

/** Somebody who is told when what was decided is durable, or why it is not. */
export interface Reply {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The line of group commit that a cell belongs to. */
export interface CommitLine {
  readonly index: number;
  /** The cell has something pending. */
  touch(cell: Cell): void;
  /** Forgets what the cell has pending. */
  forget(cell: Cell): void;
}

/** A running attempt of a task. */
export interface Attempt {
  readonly token: number;
  readonly abort: AbortController;
  /** Ends the attempt by start-to-close or schedule-to-close. */
  timer: LongTimer | null;
  /** Ends the attempt when it says nothing. */
  heartbeatTimer: LongTimer | null;
}

/** Hears of committed records; `state` may be ahead of them. Without records: the cell is gone, the journal must be asked. */
export type Watcher = (records: readonly JournalRecord[], firstSequence: number) => void;

/** Told when a run has ended or left this instance, with the cell that it had; null: when the time to wait is over and it has none. */
export type Waiter = (cell: Cell | null) => void;

/** A run in memory. */
export interface Cell {
  readonly runId: string;
  readonly shard: number;
  readonly lane: CommitLine;
  /** Day of creation: partition of the journal. */
  day: number;
  run: Run;
  /** Decided, not yet part of a batch. */
  pending: JournalRecord[];
  /** About how many characters the values have that came with the events behind `pending`. */
  pendingSize: number;
  /** The events that made `pending`, to be decided again should the batch be lost. */
  events: RunEvent[];
  replies: Reply[];
  /** Time of the timer in `pending` that may not be early; 0: none. */
  dueAt: number;
  /** Part of the batch in flight. */
  flying: boolean;
  /** Those who hear of the batch in flight; who asks for something that changes nothing joins them. */
  flight: Reply[];
  /** Its state in memory is in doubt and being read again. */
  frozen: boolean;
  /** Events that are decided later: when the cell is frozen no more, or when the move that is full is durable. */
  backlog: { readonly event: RunEvent; reply: Reply | null }[];
  /** A start whose caller was told that nobody knows whether it was written. */
  forsaken: boolean;
  /** Keys of a start that is not durable yet. */
  keys: StartRow["keys"];
  started: boolean;
  /** Its attempts are made here: it was begun here, or taken over. */
  inHand: boolean;
  /** Its owner died with it: until it has made progress each of its events is tried alone, see trials.ts. */
  suspect: boolean;
  /** Events that wait for their trial. */
  onTrial: number;
  /** Size of its journal, characters, and the size at which it is held. */
  journalSize: number;
  holdAtSize: number;
  /** Header as it was last written. */
  shown: { state: string; moving: boolean; wakeAt: number | null };
  /** Those who wait for the end. The set goes along when the run is parked, and comes back with it. */
  waiters: Set<Waiter>;
  readonly watchers: Set<Watcher>;
  readonly attempts: Map<string, Attempt>;
  timer: NodeJS.Timeout | null;
  /** Child runs that are being started, or asked for. */
  startingChildren: number;
  /** Dropped from memory: nobody may use it any more. */
  gone: boolean;
  touchedAt: number;
}

/**
 * A run whose journal has grown by this many characters since the last time is held (`limit`): whoever releases the hold lets it grow by as much again.
 * Everything that a run holds is in memory while it moves.
 */
export const MAX_JOURNAL_SIZE = 67_108_864;

/** Notes how large the journal of a run is; the next hold is at the next multiple of the limit. */
export function noteSize(cell: Cell, size: number): void {
  cell.journalSize = size;
  cell.holdAtSize = (Math.floor(size / MAX_JOURNAL_SIZE) + 1) * MAX_JOURNAL_SIZE;
}

/** Counts what was written. Gives the hold of a run that has grown too large since it was asked last, unless it is ending. */
export function holdOutgrown(cell: Cell, written: number, at: number): RunEvent | null {
  cell.journalSize += written;
  if (cell.journalSize < cell.holdAtSize) return null;
  noteSize(cell, cell.journalSize);
  const { phase } = cell.run.state;
  if (phase !== "RUNNING" && phase !== "QUEUED") return null;
  const why = `its journal has ${cell.journalSize} characters; released, it may grow by ${MAX_JOURNAL_SIZE} more`;
  return { type: "hold", at, hold: "limit", by: "orchestrator", why };
}

/** A cell for a run. */
export function createCell(runId: string, shard: number, lane: CommitLine, day: number, run: Run): Cell {
  return {
    runId,
    shard,
    lane,
    day,
    run,
    pending: [],
    pendingSize: 0,
    events: [],
    replies: [],
    dueAt: 0,
    flying: false,
    flight: [],
    frozen: false,
    backlog: [],
    forsaken: false,
    keys: [],
    started: run.state.sequence > 0,
    inHand: false,
    suspect: false,
    onTrial: 0,
    journalSize: 0,
    holdAtSize: MAX_JOURNAL_SIZE,
    shown: { state: "", moving: false, wakeAt: null },
    waiters: new Set(),
    watchers: new Set(),
    attempts: new Map(),
    timer: null,
    startingChildren: 0,
    gone: false,
    touchedAt: 0,
  };
}

/** Values in one move, characters. One event may have more by itself, and what follows from it is bounded by its turn. */
const MAX_MOVE_SIZE = 8_388_608;

/** True when what is pending is enough for one move: events that come now wait until it is durable. */
export function isFull(cell: Cell): boolean {
  return cell.pendingSize >= MAX_MOVE_SIZE || cell.backlog.length > 0;
}

/** Counts the value that comes with an event into the move that is being made. */
export function weigh(cell: Cell, event: RunEvent): void {
  const value = valueIn(event);
  if (value !== null) cell.pendingSize += Math.min(measureJson(value, MAX_MOVE_SIZE), MAX_MOVE_SIZE);
}

/** What may be large in an event. A start is alone in its move, or the first of it. */
function valueIn(event: RunEvent): Json {
  switch (event.type) {
    case "reported":
      return event.outcome.ok ? event.outcome.output : (event.outcome.suspended?.value ?? null);
    case "signal":
      return event.payload;
    case "decided":
      return event.data;
    case "child":
      return event.end.output;
    default:
      return null;
  }
}

/** Takes all who wait for the cell, those whose events are not decided yet included; the events stay. */
export function takeReplies(cell: Cell): Reply[] {
  const replies = cell.replies.splice(0);
  for (const waiting of cell.backlog) {
    if (waiting.reply !== null) replies.push(waiting.reply);
    waiting.reply = null;
  }
  return replies;
}

/** True when memory and journal say the same: its state may be shown. */
export function isClean(cell: Cell): boolean {
  return cell.pending.length === 0 && !cell.flying && !cell.frozen;
}

/** True when the run has ended and that is durable. */
export function hasEnded(cell: Cell): boolean {
  return isClean(cell) && isTerminalPhase(cell.run.state.phase);
}

/** State of a cell that may be shown; null while something in it is not durable. */
export function shownState(cell: Cell): RunState | null {
  return isClean(cell) ? cell.run.state : null;
}

/** Fields of a line of the log about a run. */
export function logFieldsOf({ runId, run: { state } }: Cell): LogFields {
  const { flowId, version, tenantId, facts } = state;
  return { runId, flowId, version, tenantId, correlationId: facts.correlationId || undefined };
}

/** A start that collided with a key, a run id or an open run key. */
export class StartTaken extends Error {
  override readonly name = "StartTaken";
}
