/** A run in memory: what the shard runtime keeps for every entity, and what runs add to it. */
import type { LongTimer } from "../../base/time/long-timer.ts";
import type { RunEvent } from "../machine/events.ts";
import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import type { RunState } from "../machine/state.ts";
import type { StartRow, StoredRun } from "../ports/journal.ts";
import type { Residence } from "../shard/residence/residence.ts";
import { isClean, type Resident } from "../shard/resident.ts";

/** The types of the run kind. */
export interface RunTypes {
  readonly entity: Run;
  readonly event: RunEvent;
  readonly record: JournalRecord;
  readonly stored: StoredRun;
  readonly work: RunWork;
}

/** A run in memory. */
export type RunResident = Resident<RunTypes>;

/** The runs in memory. */
export type RunResidence = Residence<RunTypes>;

/** What a run keeps besides its state. */
export interface RunWork {
  /** Keys of a start that is not durable yet. */
  keys: StartRow["keys"];
  /** The run id of a start that is not durable yet was chosen outside. */
  named: boolean;
  /** Header as last written. */
  shown: {
    readonly state: string;
    readonly moving: boolean;
    readonly handedOut: boolean;
    readonly wakeAt: number | null;
  };
  /** Running attempts by task path. */
  readonly attempts: Map<string, Attempt>;
  /** Child runs that are being started or looked up. */
  startingChildren: number;
}

/** A running attempt of a task. */
export interface Attempt {
  readonly token: number;
  readonly abort: AbortController;
  /** Ends the attempt at start-to-close or schedule-to-close. */
  timer: LongTimer | null;
  /** Ends the attempt if it sends no heartbeat. */
  heartbeatTimer: LongTimer | null;
}

export function createRunWork(): RunWork {
  return {
    keys: [],
    named: false,
    shown: { state: "", moving: false, handedOut: false, wakeAt: null },
    attempts: new Map(),
    startingChildren: 0,
  };
}

/** The state of a run that can be shown; null while a part of it is not durable. */
export function shownState(resident: RunResident): RunState | null {
  return isClean(resident) ? resident.entity.state : null;
}
