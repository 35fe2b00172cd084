/** Lists of routed tasks, and what has become of them. */
import type { Caller } from "../caller.ts";

/** What has become of a routed task. */
export type RoutedTaskState = "PENDING" | "SUCCESS" | "ERROR" | "TIMEOUT";

/** A routed task without bodies. Times are milliseconds since the epoch. */
export interface RoutedTaskView {
  readonly taskId: string;
  readonly tenantId: string;
  readonly service: string;
  readonly method: string;
  readonly path: string;
  /** Where the call goes, or where its answer came from. */
  readonly targetUrl: string;
  readonly state: RoutedTaskState;
  /** Status of the last answer; 0: there was none. */
  readonly responseStatus: number;
  readonly retryCount: number;
  readonly createdAt: number;
  /** Null: it is pending. */
  readonly endedAt: number | null;
}

/** Which tasks a list shows; null and empty: all. */
export interface RoutedTaskFilter {
  readonly state: RoutedTaskState | null;
  readonly service: string;
}

/** Where a list continues. */
export interface RoutedTaskPlace {
  readonly createdAt: number;
  readonly taskId: string;
}

/** Lists of routed tasks. */
export interface RoutedTasks {
  /** Newest first. */
  list(
    caller: Caller,
    filter: RoutedTaskFilter,
    after: RoutedTaskPlace | null,
    limit: number,
  ): Promise<readonly RoutedTaskView[]>;
  count(caller: Caller, filter: RoutedTaskFilter): Promise<number>;
}

/** Tasks that are over and that nobody keeps. */
export interface RoutedTaskHistory {
  /**
   * Those of these shards that are beyond the newest `keep` of their tenant, or ended more than `maxAgeMs` ago; at most
   * `limit`.
   */
  listOld(
    shards: readonly number[],
    keep: number,
    maxAgeMs: number,
    limit: number,
  ): Promise<readonly Pick<RoutedTaskView, "taskId" | "tenantId">[]>;
}

/** What this instance has routed since it started. Durations are milliseconds. */
export interface RoutingCounts {
  readonly success: number;
  readonly error: number;
  readonly timeout: number;
  readonly retries: number;
  /** Tasks that were called more than once, by how they ended. */
  readonly retriedSuccess: number;
  readonly retriedFailure: number;
  /** Of all tasks; null: there was none. */
  readonly averageMs: number | null;
  /** Of the newest tasks; null: there was none. */
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Start of the count, milliseconds since the epoch. */
  readonly since: number;
}

/** Reads the counts of this instance. */
export interface RoutingStats {
  read(): RoutingCounts;
}
