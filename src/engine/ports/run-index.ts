/** Lists over all runs of a tenant. */
import type { RunStateName } from "../machine/state.ts";
import type { Caller } from "./caller.ts";

/** The public state of a run. */
export type { RunStateName };

/** List entry: the header of a run, without payloads. */
export interface RunHeader {
  readonly runId: string;
  readonly tenantId: string;
  readonly flowId: string;
  readonly version: string;
  readonly flowHash: string;
  readonly state: RunStateName;
  readonly sequence: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly userId: string;
  readonly correlationId: string;
  readonly runKey: string;
  readonly parentRunId: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endedAt: number | null;
  readonly deadlineAt: number | null;
  /**
   * What is wrong with the stored header; absent when it is intact. A run with damage is RUN_UNREADABLE, and other
   * fields may be empty.
   */
  readonly damage?: string;
  /**
   * The run is deleted, at `updatedAt`; its `sequence` is one more than the last. Only in watches and lists of changes;
   * in the latter only the id, the sequence, and the final state are known, and other fields are empty.
   */
  readonly deleted?: true;
}

/** Where a list of runs continues: the last entry of the previous page. */
export interface RunPosition {
  readonly createdAt: number;
  readonly runId: string;
}

/**
 * A comparison over a documented field, already checked and typed; `and`, `or`, `not` combine comparisons.
 * `api/lists/filter.ts` parses it from CEL; the store translates it to SQL.
 */
export type Filter =
  | { readonly op: "and" | "or"; readonly args: readonly Filter[] }
  | { readonly op: "not"; readonly arg: Filter }
  | { readonly op: "in"; readonly field: FilterField; readonly values: readonly (string | number)[] }
  | { readonly op: "==" | "!=" | "<" | "<=" | ">" | ">="; readonly field: FilterField; readonly value: string | number }
  | { readonly op: "has"; readonly field: FilterField };

/** Fields that run filters may use. Times are milliseconds since the epoch. */
export type FilterField =
  | {
      readonly name:
        | "state"
        | "flow_id"
        | "version"
        | "run_key"
        | "user_id"
        | "correlation_id"
        | "parent_run_id"
        | "run_id";
    }
  | { readonly name: "create_time" | "update_time" | "end_time" }
  | { readonly name: "labels"; readonly key: string };

/** Order of a list by creation time. */
export type ListOrder = "newest" | "oldest";

/**
 * Lists over all runs of a tenant. When `signal` aborts, the query is canceled, in the database too, and the list
 * throws the signal's reason.
 */
export interface RunIndex {
  /** Newest first by default. */
  listRuns(
    caller: Caller,
    filter: Filter | null,
    after: RunPosition | null,
    limit: number,
    signal?: AbortSignal,
    order?: ListOrder,
  ): Promise<readonly RunHeader[]>;
  /**
   * Lists the runs whose header was written or deleted in the last `ageMs` by the clock of the database, in that order;
   * if there are more than `limit`, the newest.
   */
  listChanged(caller: Caller, ageMs: number, limit: number, signal?: AbortSignal): Promise<readonly RunHeader[]>;
  countRuns(
    caller: Caller,
    filter: Filter | null,
    signal?: AbortSignal,
  ): Promise<readonly { readonly state: RunStateName; readonly count: number }[]>;
}
