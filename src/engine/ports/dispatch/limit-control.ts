/** The port of limits as operators see them: what is declared, who holds slots, who waits, and what is paused. */
import type { LimitBounds } from "../../../flows/plan.ts";
import type { Caller } from "../caller.ts";
import type { LimitKey } from "./limits.ts";

/** What somebody has declared of a limit. Its bounds go before those in flows. */
export interface LimitDeclaration extends LimitBounds {
  /** Changes with the declaration. */
  readonly etag: string;
  readonly by: string;
  readonly why: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A time in which a limit, or a key of it, gives out nothing. */
export interface LimitPause {
  readonly by: string;
  readonly why: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Null: until it is resumed. */
  readonly until: number | null;
  /** Run of the attempt that was told to come back later; empty: somebody paused it. */
  readonly runId: string;
}

/** Tasks that wait for slots, and those that have one. */
export interface LimitCounts {
  readonly waiting: number;
  readonly held: number;
  /** Since when the first of the waiting tasks is ready, milliseconds since the epoch; null: none waits. */
  readonly oldestAt: number | null;
}

/** A limit, of all its keys. */
export interface LimitView extends LimitCounts {
  readonly tenantId: string;
  readonly name: string;
  readonly declaration: LimitDeclaration | null;
  /** Of all keys. */
  readonly pause: LimitPause | null;
  readonly pausedKeys: number;
}

/** One key of a limit. */
export interface LimitKeyView extends LimitCounts {
  readonly key: string;
  readonly pause: LimitPause | null;
}

/** A place in a list of slots. */
export interface SlotPlace {
  readonly key: string;
  readonly priority: number;
  /** Milliseconds since the epoch. */
  readonly readyAt: number;
  readonly runId: string;
  readonly path: string;
}

/** A task that waits for a slot, or has one. */
export interface LimitSlotView extends SlotPlace {
  readonly state: "waiting" | "granted" | "taken";
  /** Since when it is ready, or has the slot, milliseconds since the epoch. */
  readonly since: number;
}

/** Which slots are asked for. */
export interface SlotQuery {
  readonly name: string;
  /** Null: of all keys. */
  readonly key: string | null;
  readonly state: LimitSlotView["state"] | "held";
}

/** A flow version that names a limit. */
export interface LimitUse {
  readonly flowId: string;
  readonly version: string;
  /** A task has no bounds of its own. */
  readonly relies: boolean;
}

/** What an operator changes. `key` null: all keys. `etag` empty: whatever is declared. */
export type LimitChange =
  | ({ readonly type: "put"; readonly why: string; readonly etag: string } & LimitBounds)
  | { readonly type: "delete"; readonly why: string; readonly etag: string; readonly force: boolean }
  | { readonly type: "pause"; readonly why: string; readonly key: string | null; readonly until: number | null }
  | { readonly type: "resume"; readonly why: string; readonly key: string | null };

/** The limits of the callers' tenants. */
export interface LimitControl {
  /** These limits in their order. */
  viewLimits(caller: Caller, names: readonly string[]): Promise<readonly LimitView[]>;
  /** Names after `after`: declared, paused, named by flows, or with slots. */
  listNames(caller: Caller, after: string, limit: number): Promise<readonly string[]>;
  /** Keys after `after`, null: from the first one. */
  listKeys(caller: Caller, name: string, after: string | null, limit: number): Promise<readonly LimitKeyView[]>;
  /** The keys for which most tasks wait. */
  listBusiest(caller: Caller, name: string, limit: number): Promise<readonly LimitKeyView[]>;
  listUses(caller: Caller, name: string, limit: number): Promise<readonly LimitUse[]>;
  /** By key and in the order of the line. */
  listSlots(
    caller: Caller,
    query: SlotQuery,
    after: SlotPlace | null,
    limit: number,
  ): Promise<readonly LimitSlotView[]>;
  /**
   * Changes what is declared or paused; resolves with whether anything was. The homes of the keys are told. Errors:
   * LIMIT_CHANGED, LIMIT_IN_USE, TOO_MANY_LIMITS.
   */
  change(caller: Caller, name: string, change: LimitChange): Promise<boolean>;
}

/** A limit of all tenants, for metrics. */
export interface LimitTotals {
  readonly name: string;
  readonly waiting: number;
  readonly held: number;
  /** How long the first of the waiting tasks has waited, milliseconds; 0: none waits. */
  readonly ageMs: number;
  readonly paused: boolean;
}

/** What is declared, paused, and counted, as stored. */
export interface LimitStore {
  view(tenantId: string, names: readonly string[]): Promise<readonly LimitView[]>;
  listNames(tenantId: string, after: string, limit: number): Promise<readonly string[]>;
  listKeys(tenantId: string, name: string, after: string | null, limit: number): Promise<readonly LimitKeyView[]>;
  listBusiest(tenantId: string, name: string, limit: number): Promise<readonly LimitKeyView[]>;
  listUses(tenantId: string, name: string, limit: number): Promise<readonly LimitUse[]>;
  listSlots(
    tenantId: string,
    query: SlotQuery,
    after: SlotPlace | null,
    limit: number,
  ): Promise<readonly LimitSlotView[]>;
  change(tenantId: string, name: string, by: string, change: LimitChange): Promise<boolean>;
  /** Keys after `after` for which somebody waits. */
  listWaitingKeys(
    limit: Pick<LimitKey, "tenantId" | "name">,
    after: string | null,
    count: number,
  ): Promise<readonly string[]>;
  /** The 200 limits with the most tasks, of all tenants. */
  listTotals(): Promise<readonly LimitTotals[]>;
}
