/** Lists over all runs of a tenant. */
import type { RunStateName } from "../machine/state.ts";
import type { Caller } from "./caller.ts";

/** The public state of a run. */
export type { RunStateName };

/** Line of a list: the header of a run, without payloads. */
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
  /** What is wrong with the stored header; absent when nothing is. The run is RUN_UNREADABLE then, and other fields may be empty. */
  readonly damage?: string;
}

/** Where a list of runs goes on: the last line of the page before. */
export interface RunPosition {
  readonly createdAt: number;
  readonly runId: string;
}

/** A comparison over a documented field, already checked and typed; `and`, `or`, `not` join them. Parsed from CEL by `api/lists/filter.ts`, turned into SQL by the store. */
export type Filter =
  | { readonly op: "and" | "or"; readonly args: readonly Filter[] }
  | { readonly op: "not"; readonly arg: Filter }
  | { readonly op: "in"; readonly field: FilterField; readonly values: readonly (string | number)[] }
  | { readonly op: "==" | "!=" | "<" | "<=" | ">" | ">="; readonly field: FilterField; readonly value: string | number }
  | { readonly op: "has"; readonly field: FilterField };

/** Fields that filters of runs may name. Times are milliseconds since the epoch. */
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

/** Order of a list by creation: the newest first, or the oldest. */
export type ListOrder = "newest" | "oldest";

/** Lists over all runs of a tenant. A list whose `signal` aborts is given up, in the database too, and throws the signal's reason. */
export interface RunIndex {
  /** The newest first by default. */
  listRuns(
    caller: Caller,
    filter: Filter | null,
    after: RunPosition | null,
    limit: number,
    signal?: AbortSignal,
    order?: ListOrder,
  ): Promise<readonly RunHeader[]>;
  /** Runs whose header was written in the last `ageMs` by the clock of the database, in that order; of more than `limit` the newest. */
  listChanged(caller: Caller, ageMs: number, limit: number, signal?: AbortSignal): Promise<readonly RunHeader[]>;
  countRuns(
    caller: Caller,
    filter: Filter | null,
    signal?: AbortSignal,
  ): Promise<readonly { readonly state: RunStateName; readonly count: number }[]>;
}
