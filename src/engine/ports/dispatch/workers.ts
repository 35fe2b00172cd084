/** The port of workers: sessions, the tasks they get, and what they report. */
import type { Outcome } from "../../machine/events.ts";
import type { Caller } from "../caller.ts";
import type { TaskNote } from "../run-watch.ts";
import type { AlreadyReported, HandedTask, Standing } from "./hand-overs.ts";
import type { Conversation } from "./peers.ts";

/** What a worker says about itself. */
export interface WorkerInfo {
  readonly name: string;
  readonly sdk: string;
  readonly queues: readonly string[];
  readonly handlers: readonly string[];
  readonly slots: number;
  /** What it has that tasks may ask for. */
  readonly labels: Readonly<Record<string, string>>;
  /** Empty: it has none. */
  readonly buildId: string;
}

/** Who drains a worker, why, and since when, milliseconds since the epoch. */
export interface WorkerStop {
  readonly by: string;
  readonly why: string;
  readonly since: number;
}

/** A task that a worker holds. */
export interface Holding {
  readonly runId: string;
  /** Empty: somebody else handed it out. */
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly acknowledged: boolean;
}

/** A worker as it is shown. */
export interface WorkerView extends WorkerInfo {
  /** Names its session without being of use to others. */
  readonly workerId: string;
  /** How many more tasks it can take now. */
  readonly free: number;
  /** In the order in which it got them. */
  readonly holdings: readonly Holding[];
  /** Milliseconds since the epoch. */
  readonly registeredAt: number;
  readonly lastSeenAt: number;
  readonly drain: WorkerStop | null;
}

/** A session, and the rules that it must keep. */
export interface WorkerSession {
  readonly sessionId: string;
  readonly ackTimeoutMs: number;
  readonly sessionTimeoutMs: number;
}

/** What a worker gets. */
export type WorkerMessage =
  | { readonly type: "task"; readonly token: string; readonly task: HandedTask }
  | { readonly type: "cancel"; readonly token: string; readonly reason: string }
  | { readonly type: "drain"; readonly stop: WorkerStop };

/** What a worker says about a task. */
export type WorkerReport =
  | { readonly type: "acknowledged" | "alive" }
  | { readonly type: "stopped" }
  | { readonly type: "ended"; readonly outcome: Outcome }
  | { readonly type: "noted"; readonly note: TaskNote }
  /** JSON text. */
  | { readonly type: "checkpoint"; readonly text: string }
  | { readonly type: "detached" }
  | { readonly type: "handed_back"; readonly reason: string };

/** What a report is about. */
export type ReportKind = WorkerReport["type"];

/** What became of a report. `unavailable`: it may be repeated. */
export interface ReportResult {
  readonly standing: Standing | "unavailable" | "already_reported";
  readonly message: string;
  /** With `already_reported`. */
  readonly stands?: AlreadyReported;
  /** It is `unavailable` because another instance owns the run. */
  readonly moved?: boolean;
}

/** What the owner of runs learns of the session of a worker that is connected here, together with its reports. */
export interface Forwarding {
  readonly named: Conversation;
  /** How many slots of the session are lent to the owner; 0: no word about them. */
  readonly lent: number;
}

/** Workers, and what they say. */
export interface Workers {
  /** Error: OVERLOADED, when there are too many sessions. */
  register(caller: Caller, worker: WorkerInfo): WorkerSession;
  /**
   * The messages for a session, until the signal aborts. A second stream of a session ends the first. Error:
   * WORKER_SESSION_NOT_FOUND.
   */
  poll(caller: Caller, sessionId: string, signal: AbortSignal): AsyncIterable<WorkerMessage>;
  /**
   * The same for a worker that asks again and again: what there is, as soon as there is something; nothing after
   * `waitMs`, or when `stopping` aborts. Between such calls the worker gets nothing. When `signal` aborts, the answer
   * has not arrived.
   */
  fetch(
    caller: Caller,
    sessionId: string,
    waitMs: number,
    signal: AbortSignal,
    stopping: AbortSignal,
  ): Promise<readonly WorkerMessage[]>;
  /** Takes one report about a task of a run of this instance. Never rejects. */
  report(caller: Caller, sessionId: string, token: string, report: WorkerReport): Promise<ReportResult>;
  /** The run of a task; null: the token is not one of this service. */
  runOf(caller: Caller, sessionId: string, token: string): string | null;
  /**
   * Reports of a session go to the instance that owns their runs: takes note of what they say about the session here,
   * and of what `send` resolves with: `isOver`, when nobody waits for the task any more. Rejects when `send` does.
   */
  forwardReports<Result extends { readonly isOver: boolean }>(
    caller: Caller,
    sessionId: string,
    owner: string,
    reports: readonly { readonly token: string; readonly kind: ReportKind }[],
    send: (passed: Forwarding | null) => Promise<readonly Result[]>,
  ): Promise<readonly Result[]>;
  /** The session is alive. False when there is none here. */
  touch(caller: Caller, sessionId: string): boolean;
  /** The worker says goodbye: its session ends, and what it holds goes to others. False when there is no session. */
  goodbye(caller: Caller, sessionId: string): boolean;
  /** The workers of all tenants that are connected here. */
  listAll(): readonly WorkerView[];
  /** The workers of the caller's tenant. */
  list(caller: Caller): readonly WorkerView[];
  /** The worker gets no more tasks, and is told so. Null when it is not connected here. */
  drain(caller: Caller, workerId: string, why: string): WorkerView | null;
}
