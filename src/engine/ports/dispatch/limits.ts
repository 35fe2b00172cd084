/**
 * Limits: how many attempts may be under way at once, and how often they may begin. Slots are rows; the owner of the
 * home of a key, a shard, gives them out. See docs/adr/0065.
 */
import type { LimitBounds } from "../../../flows/plan.ts";
import type { OtherInstance } from "../cluster.ts";
import type { Lease } from "../leases.ts";

/** A limit, as slots know it: each key of a name is a limit of its own. */
export interface LimitKey {
  readonly tenantId: string;
  readonly name: string;
  readonly key: string;
}

/** A slot that was given out and not taken yet. */
export interface Grant {
  readonly runId: string;
  /** Path of the task; empty: the run as a whole. */
  readonly path: string;
  /** Sequence of the record that asked for it. */
  readonly asked: number;
  /** Shard of the run. */
  readonly shard: number;
}

/** What a round of giving out came to. */
export interface GrantRound {
  readonly granted: readonly (Grant & { readonly limit: LimitKey; readonly waitedMs: number })[];
  /** Limits that must be looked at again without being told, and after how many milliseconds. */
  readonly later: readonly { readonly limit: LimitKey; readonly inMs: number }[];
}

/** Limits in the order of their names. */
export interface LimitPage {
  readonly limits: readonly LimitKey[];
  readonly isLast: boolean;
}

/** The slots of a database. */
export interface LimitSlotStore {
  /**
   * Gives out what is free of these limits, under the leases of their homes. Changes nothing that begins after `until`,
   * milliseconds of the database's clock.
   */
  grant(leases: readonly Lease[], limits: readonly LimitKey[], until: number): Promise<GrantRound>;
  /** Resolves when no statement that holds these leases is under way any more. */
  settle(leases: readonly Lease[]): Promise<void>;
  /** Slots that were given to runs of these shards and not taken yet. */
  listGranted(shards: readonly number[]): Promise<readonly Grant[]>;
  /** Limits for which runs of these shards wait, from the one after `after`. */
  listWaiting(shards: readonly number[], after: LimitKey | null): Promise<LimitPage>;
  /** Limits with these homes for which somebody waits, from the one after `after`. */
  listWaitingAt(homes: readonly number[], after: LimitKey | null): Promise<LimitPage>;
  /** The run that was given these slots is in quarantine: they are free. A release asks for them again. */
  giveBack(lease: Lease, runId: string): Promise<readonly LimitKey[]>;
}

/** A slot that a task waits for or has, as the journal of its run says. */
export interface JournaledSlot extends LimitBounds, LimitKey {
  /** Path of the task; empty: the run as a whole. */
  readonly path: string;
  /** The shard of its home is the remainder of a division by the number of shards. */
  readonly hash: number;
  readonly state: "waiting" | "taken";
  /** Sequence of the record that asked for it. */
  readonly asked: number;
  readonly priority: number;
  /** Since when the task is ready, milliseconds since the epoch. */
  readonly since: number;
}

/** All slots of a run at a record of its journal. */
export interface RunSlots {
  readonly runId: string;
  readonly shard: number;
  /** Sequence of its last record. */
  readonly sequence: number;
  readonly slots: readonly JournaledSlot[];
}

/** Runs in memory, as their journals say. */
export interface JournaledSlots {
  /** Ids of the runs that have asked for slots. */
  listAsking(): readonly string[];
  /** Null: the run is not in memory, or a part of it is not durable yet. */
  read(runId: string): RunSlots | null;
}

/** A slot as it is stored. */
export interface StoredSlot extends LimitKey {
  readonly runId: string;
  readonly path: string;
  readonly state: "waiting" | "granted" | "taken";
  readonly asked: number;
}

/** How the rows of a run differ from its journal. */
export interface SlotRepair {
  readonly lease: Lease;
  readonly runId: string;
  /** Nothing is written once the journal has a later record. */
  readonly sequence: number;
  /** Slots without a row, or with another one. */
  readonly wrong: readonly JournaledSlot[];
  /** Paths of rows without a slot. */
  readonly extra: readonly string[];
}

/** Compares rows with runs, and removes what nobody needs any more. */
export interface LimitAudit {
  /**
   * Removes slots on these shards whose run has ended or is not there, from a page of slots that begins after `after`.
   * Returns their limits, one for each slot, and where the next page begins; null: this was the last one.
   */
  removeLost(leases: readonly Lease[], after: SlotPosition | null): Promise<LostSlots>;
  /** The slots of these runs. */
  readSlots(runIds: readonly string[]): Promise<readonly StoredSlot[]>;
  /** Makes rows say what the journal says. Returns how many were changed. */
  repair(repair: SlotRepair): Promise<number>;
  /** Removes pauses that are over, and rates that are full. */
  prune(): Promise<void>;
}

/** A place in the order of all slots. */
export interface SlotPosition {
  readonly runId: string;
  readonly path: string;
}

/** See {@link LimitAudit.removeLost}. */
export interface LostSlots {
  readonly limits: readonly LimitKey[];
  readonly next: SlotPosition | null;
}

/** A limit that gives out nothing until `until`, milliseconds since the epoch. */
export interface LimitPause {
  readonly until: number;
  /** Who paused it; empty: unknown, or `runId`. */
  readonly by: string;
  readonly why: string;
  /** The run whose attempt was told to come back later; empty: somebody paused it. */
  readonly runId: string;
}

/** Where a task stands in the line of its limit, and the bounds that hold for it. */
export interface LimitPlace extends LimitBounds {
  readonly name: string;
  readonly key: string;
  readonly isDeclared: boolean;
  /** Attempts that have a slot. */
  readonly holders: number;
  /** Tasks in front of it; more than 1,000 are not counted. */
  readonly ahead: number;
  readonly pause: LimitPause | null;
}

/** Finds tasks in lines. */
export interface LimitPlaces {
  /** Null: the task is in no line. */
  findPlace(tenantId: string, runId: string, path: string): Promise<LimitPlace | null>;
}

/** Counts what becomes of slots, by the name of their limit. */
export interface LimitMetrics {
  granted(limit: string, waitedMs: number): void;
  /** Slots that belonged to no open run. */
  lost(count: number): void;
  /** Slots whose row said something else than the journal of their run. */
  repaired(count: number): void;
}

/** What runs say about their slots. Soft: what is not heard is found in the rows. */
export interface LimitLines {
  /** Somebody waits for the limit, or has freed a slot of it. */
  changed(limit: LimitKey): void;
  /** A run of this instance waits for a slot. */
  waits(limit: LimitKey): void;
  /** This instance has taken these shards. */
  taken(shards: readonly number[]): void;
}

/** What one instance tells another. Soft, too. */
export interface LimitMessage {
  /** Id of the sender. */
  readonly from: string;
  /** Limits with a home at the receiver for which somebody waits, or of which a slot is free. */
  readonly changed: readonly LimitKey[];
  /** Slots for runs of the receiver. */
  readonly granted: readonly Grant[];
}

/** Calls to other instances. */
export interface LimitCalls {
  tellLimits(peer: OtherInstance, message: LimitMessage): Promise<void>;
}

/** What other instances tell this one. */
export interface PeerLimits {
  hear(message: LimitMessage): void;
}

/** What becomes of a slot that was given out: it is used, it is not needed any more, or its run cannot be moved now. */
export type GrantEnd = "used" | "over" | "stuck";

/** Those who use slots: the runs of this instance. */
export interface GrantTaker {
  /** Begins what has got its slot. Resolves when that is durable. */
  granted(grant: Grant): Promise<GrantEnd>;
}
