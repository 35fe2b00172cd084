/** What the engine offers to the API, the CLI and the buses. Everything that changes a run resolves only after the change is durable. */
import type { Json, JsonObject } from "../base/json/json.ts";
import type { ChildEnd, RequestKey } from "./machine/events.ts";
import type { HoldKind, JournalRecord } from "./machine/records.ts";
import type { Approval, RunState, RunStateName } from "./machine/state.ts";

/** Who calls: every run and flow belongs to a tenant, and a foreign one does not exist for the caller. */
export interface Caller {
  readonly tenantId: string;
  /** Name of the caller for holds, approvals and endings; empty when unknown. */
  readonly actor: string;
}

/** What to do when a run with the same `runKey` is open. */
export type RunKeyPolicy = "reject" | "return_existing" | "terminate_and_start";

/** A start. Empty strings mean absent. */
export interface StartRequest {
  readonly flowId: string;
  /** Empty: the version registered last. */
  readonly version: string;
  readonly input: JsonObject;
  /** Same id, same body: the same run again. Same id, other body: REQUEST_ID_REUSED. */
  readonly requestId: string;
  /** Hash of the body, hex; compared when the request id is seen again. Empty when there is no request id. */
  readonly requestHash: string;
  /** Caller's run id: unique for ever. */
  readonly runId: string;
  /** At most one open run per tenant, flow and key. */
  readonly runKey: string;
  readonly runKeyPolicy: RunKeyPolicy;
  readonly labels: Readonly<Record<string, string>>;
  readonly userId: string;
  readonly correlationId: string;
  readonly context: JsonObject | null;
  /** Milliseconds; null: the flow's, else the service's. */
  readonly runTimeoutMs: number | null;
  /** The first task starts no earlier than this many milliseconds after the start. */
  readonly startDelayMs: number;
  readonly signals: readonly { readonly name: string; readonly payload: Json }[];
}

/** A run as it was at a commit: never a state that is not durable. Treat as read-only. */
export interface RunView {
  readonly state: RunState;
}

/** Answer to a start. */
export interface StartResult {
  readonly run: RunView;
  /** Whether this call started the run, or an earlier one with the same request id; false when run_key policy `return_existing` answered another one. */
  readonly started: boolean;
}

/** Some records of a run. */
export interface RunEventPage {
  readonly events: readonly RunEventView[];
  /** Whether there are more after the last one. */
  readonly more: boolean;
}

/** A durable event of a run: a record with its place. */
export interface RunEventView {
  readonly runId: string;
  /** 1, 2, 3, … without gaps. */
  readonly sequence: number;
  readonly record: JournalRecord;
}

/** A frame of a watch. The first is a snapshot, unless the watch resumes from a sequence; the last is `end`. */
export type WatchFrame =
  | { readonly type: "snapshot"; readonly state: RunState }
  | { readonly type: "event"; readonly event: RunEventView }
  | { readonly type: "end"; readonly state: RunState };

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

/** Another instance on the database. */
export interface OtherInstance {
  readonly id: string;
  /** Where it is reached, host:port. */
  readonly address: string;
  /** It is about to stop: it takes no new runs. */
  readonly leaving: boolean;
  /** Whether it owns shards. */
  readonly owns: boolean;
}

/** Where a call can be made: at this instance, or at another one, by its address. */
export type Place = "here" | { readonly address: string };

/** What a look at the instances and their shards has found. */
export interface Cluster {
  /** The other instances that live or own shards. */
  readonly others: readonly OtherInstance[];
  /** Sum of the epochs of all shards: it grows whenever one of them changes hands. */
  readonly epochs: number;
}

/** What a follower of all runs hears. */
export type RunChange =
  /** Runs as they are now, up to a hundred, in the order in which they changed. */
  | { readonly type: "changed"; readonly headers: readonly RunHeader[] }
  /** So many changes at least are missing: the follower was too slow, or they cannot be had. */
  | { readonly type: "gap"; readonly lostCount: number };

/** Whose runs a follower hears of: those that live on this instance, or also what others {@link Engine.relay}. */
export type FollowScope = "own" | "all";

/** Runs: start, steer, read, watch. Errors: RUN_NOT_FOUND for unknown and foreign runs, RUN_FINISHED where an open run is needed, STORE_UNAVAILABLE, SHUTTING_DOWN. */
export interface Engine {
  /** Resolves when the start is durable; with `waitMs` > 0 when the run has ended, the time is up, `signal` aborts or the service drains. Errors: FLOW_NOT_FOUND, FLOW_INPUT_INVALID, RUN_ALREADY_EXISTS, RUN_KEY_OPEN, REQUEST_ID_REUSED. */
  startRun(caller: Caller, request: StartRequest, waitMs: number, signal?: AbortSignal): Promise<StartResult>;
  /** Starts many; each has its own result or error, in the order of the requests. */
  startRuns(
    caller: Caller,
    requests: readonly StartRequest[],
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<readonly (StartResult | Error)[]>;
  getRun(caller: Caller, runId: string): Promise<RunView>;
  /** Resolves when the run has ended, `waitMs` have passed, `signal` aborts or the service drains, with the run as it is then. */
  waitRun(caller: Caller, runId: string, waitMs: number, signal: AbortSignal): Promise<RunView>;
  /** Calls that change a run take a key. The same key again is answered with the run as it is; the same id with another hash: REQUEST_ID_REUSED. */
  signalRun(caller: Caller, runId: string, name: string, payload: Json, request?: RequestKey): Promise<RunView>;
  /**
   * Decides an approval. A decision that was made before with the same content is answered like the first time. Errors: APPROVAL_NOT_FOUND;
   * APPROVAL_DECIDED when it was decided otherwise, has expired or was canceled; INVALID_REQUEST when the data does not meet the form.
   */
  decideApproval(
    caller: Caller,
    runId: string,
    approvalId: number,
    decision: {
      readonly approved: boolean;
      readonly comment: string;
      readonly data: Json;
      readonly request?: RequestKey | undefined;
    },
  ): Promise<RunView>;
  cancelRun(caller: Caller, runId: string, reason: string, compensate: boolean, request?: RequestKey): Promise<RunView>;
  terminateRun(caller: Caller, runId: string, reason: string, request?: RequestKey): Promise<RunView>;
  /** Deletes an ended run with all that it holds; resolves with the time of the deletion, milliseconds. Its id stays taken. Error: RUN_STATE_INVALID while it, its parent or a child of it is open. */
  deleteRun(caller: Caller, runId: string): Promise<number>;
  pauseRun(caller: Caller, runId: string, reason: string, request?: RequestKey): Promise<RunView>;
  /** Releases holds of the given kinds; an empty list means the operator's. */
  resumeRun(
    caller: Caller,
    runId: string,
    kinds: readonly HoldKind[],
    reason: string,
    request?: RequestKey,
  ): Promise<RunView>;
  /** Records after `afterSequence`, oldest first, at most `limit` and, beyond the first, about 2 MB. */
  listEvents(caller: Caller, runId: string, afterSequence: number, limit: number): Promise<RunEventPage>;
  /** Ordered, gapless. Without `afterSequence` it begins with a snapshot. Ends after the `end` frame, or when `signal` aborts. A reader more than 10,000 events behind gets WATCH_TOO_SLOW. */
  watchRun(caller: Caller, runId: string, afterSequence: number | null, signal: AbortSignal): AsyncIterable<WatchFrame>;
  /**
   * Finds who can take a call for a run; with an empty id, who takes starts of new runs. `here` is this instance, which takes over a run of nobody for that
   * purpose. Null: nobody for now. `unreachable` is an address where nothing answered.
   */
  locate(runId: string, unreachable?: string): Promise<Place | null>;
  /** Headers of runs of the tenant as they change, from the first call of `next` on. A follower that falls behind hears of a gap. */
  watchRuns(caller: Caller, signal: AbortSignal, scope: FollowScope): AsyncIterable<RunChange>;
  /** Tells the followers of `scope` all what happened to runs of the tenant elsewhere. */
  relay(tenantId: string, change: RunChange): void;
  /** The other instances, as of the last look: a few seconds ago. */
  cluster(): Cluster;
}

/** Where a list of runs goes on: the last line of the page before. */
export interface RunPosition {
  readonly createdAt: number;
  readonly runId: string;
}

/** Where a list of approvals goes on. A run may ask for several at the same moment. */
export interface ApprovalPosition extends RunPosition {
  readonly approvalId: number;
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
  /** Runs whose header was written in the last `ageMs` by the clock of the database, in that order; of more than `limit` the newest. Reads the whole table. */
  listChanged(caller: Caller, ageMs: number, limit: number, signal?: AbortSignal): Promise<readonly RunHeader[]>;
  countRuns(
    caller: Caller,
    filter: Filter | null,
    signal?: AbortSignal,
  ): Promise<readonly { readonly state: RunStateName; readonly count: number }[]>;
  /** The oldest first by default. */
  listApprovals(
    caller: Caller,
    openOnly: boolean,
    after: ApprovalPosition | null,
    limit: number,
    signal?: AbortSignal,
    order?: ListOrder,
  ): Promise<readonly ApprovalView[]>;
}

/** An approval with the run that asked for it. */
export interface ApprovalView {
  readonly runId: string;
  readonly flowId: string;
  readonly tenantId: string;
  readonly approval: Approval;
}

/** How a run ended, for a parent. */
export type { ChildEnd };
