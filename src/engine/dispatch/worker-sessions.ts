/** The sessions of workers on this instance, behind the port of workers. */
import { fail, isOrchestratorError, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { createQueue } from "../../base/queue.ts";
import { homeOf, mintSessionId, workerIdOf } from "../../base/session-ids.ts";
import type { Caller } from "../ports/caller.ts";
import type { AlreadyReported, HandOverRef, HandOvers, Standing } from "../ports/dispatch/hand-overs.ts";
import type { LossReason } from "../ports/dispatch/peers.ts";
import type {
  Forwarding,
  ReportKind,
  ReportResult,
  WorkerInfo,
  WorkerMessage,
  WorkerReport,
  WorkerSession,
  Workers,
  WorkerView,
} from "../ports/dispatch/workers.ts";
import { type Repetition, repeat } from "../shard/repeat.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Peers } from "./peers/peers.ts";
import { Session, type Stream } from "./session.ts";
import type { Taker } from "./taker.ts";
import { ACK_TIMEOUT_MS, SESSION_TIMEOUT_MS } from "./timeouts.ts";
import type { TaskTokens } from "./tokens.ts";

/** Interval of checks of sessions, milliseconds. */
const LOOK_EVERY_MS = 1_000;

/** Sessions of an instance. */
const MAX_SESSIONS = 10_000;

/**
 * Pairs of queue and handler that the workers of an instance serve. Every instance looks through those of all others
 * several times a second.
 */
const MAX_LINES = 10_000;

/** A fetch waits at least this long, and for tasks on their way at most that much longer, milliseconds. */
const SHORTEST_FETCH_MS = 50;
const ON_THEIR_WAY_MS = 1_000;
const LOOK_AGAIN_MS = 10;

export interface WorkerSessionsParts {
  readonly instanceId: string;
  readonly dispatcher: Dispatcher;
  readonly handOvers: HandOvers;
  readonly tokens: TaskTokens;
  readonly peers: Peers;
  /** Whether this instance owns a run. */
  readonly owns: (runId: string) => boolean;
  readonly log: Log;
  /** See {@link SESSION_TIMEOUT_MS}, for tests. */
  readonly sessionTimeoutMs?: number | undefined;
}

/** Sessions of the workers that are connected here, and reports about tasks of runs of this instance. */
export class WorkerSessions implements Workers {
  readonly #parts: WorkerSessionsParts;
  readonly #sessionTimeoutMs: number;
  readonly #sessions = new Map<string, Session>();
  readonly #loop: Repetition;

  constructor(parts: WorkerSessionsParts) {
    this.#parts = parts;
    this.#sessionTimeoutMs = parts.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
    this.#loop = repeat(async () => this.#endSilent(), LOOK_EVERY_MS, parts.log);
  }

  register({ tenantId }: Caller, worker: WorkerInfo): WorkerSession {
    const { instanceId, dispatcher, tokens } = this.#parts;
    if (this.#sessions.size >= MAX_SESSIONS) fail("OVERLOADED", { what: `${MAX_SESSIONS} worker sessions` });
    const session = new Session(
      {
        id: mintSessionId(homeOf(instanceId)),
        tenantId,
        seal: (tenant, ref) => tokens.seal(tenant, ref),
        onFree: (free) => dispatcher.fill(free),
      },
      worker,
      // The slot was reserved before the stream was lost.
      (ref) => this.#give(session, ref, "HANDED_BACK"),
    );
    if (dispatcher.countWith(session) > MAX_LINES)
      fail("OVERLOADED", { what: `${MAX_LINES} pairs of queue and handler that its workers serve` });
    this.#sessions.set(session.id, session);
    dispatcher.add(session);
    return { sessionId: session.id, ackTimeoutMs: ACK_TIMEOUT_MS, sessionTimeoutMs: this.#sessionTimeoutMs };
  }

  async *poll(caller: Caller, sessionId: string, signal: AbortSignal): AsyncGenerator<WorkerMessage> {
    const { messages, detach } = this.#attach(caller, sessionId, signal);
    try {
      for (let message = await messages.take(); message !== undefined; message = await messages.take()) yield message;
    } finally {
      detach(false);
    }
  }

  async fetch(
    caller: Caller,
    sessionId: string,
    waitMs: number,
    signal: AbortSignal,
    stopping: AbortSignal,
  ): Promise<readonly WorkerMessage[]> {
    const both = AbortSignal.any([signal, stopping]);
    const { messages, session, close, detach } = this.#attach(caller, sessionId, both);
    const fetched: WorkerMessage[] = [];
    try {
      // What the store has is handed out within a moment.
      const first = await messages.take(Math.max(waitMs, SHORTEST_FETCH_MS));
      close();
      if (first !== undefined) fetched.push(first);
      const until = performance.now() + ON_THEIR_WAY_MS;
      while (messages.size > 0 || (session.unsent > 0 && performance.now() < until)) {
        if (both.aborted) break;
        const next = await messages.take(LOOK_AGAIN_MS);
        if (next !== undefined) fetched.push(next);
      }
    } finally {
      detach(!signal.aborted && messages.size === 0);
    }
    return fetched;
  }

  /**
   * Messages of a session from now on. After `close` only what is on its way comes. `detach` ends it: unless the worker
   * got everything, what it has not begun goes to others.
   */
  #attach(caller: Caller, sessionId: string, signal: AbortSignal) {
    const session = this.#findHere(caller, sessionId);
    if (session === null) throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
    session.markSeen();
    const closed = new AbortController();
    const messages = createQueue<WorkerMessage>(AbortSignal.any([signal, closed.signal]));
    let takesMore = true;
    const stream: Stream = {
      push: (message) => messages.push(message),
      get unread() {
        return messages.size;
      },
      get takesMore() {
        return takesMore;
      },
      close: () => closed.abort(),
    };
    session.attach(stream);
    const detach = (gotAll: boolean): void => {
      const lost = session.detach(stream, gotAll);
      if (!session.isConnected) this.#parts.peers.disconnected(session);
      for (const ref of lost) this.#give(session, ref, "UNACKNOWLEDGED");
    };
    const close = (): void => {
      takesMore = false;
    };
    return { messages, session, close, detach };
  }

  async report(caller: Caller, sessionId: string, token: string, report: WorkerReport): Promise<ReportResult> {
    const session = this.#find(caller, sessionId);
    // Opening a token costs as much as the rest of a report.
    const ref = session?.refOf(token) ?? this.#parts.tokens.open(caller.tenantId, token);
    if (ref === null) return { standing: "unknown", message: "the task token is not one of this service" };
    session?.markSeen();
    session?.markAcknowledged(token);
    try {
      const taken = await this.#take(ref, token, report, session);
      return typeof taken === "string"
        ? { standing: taken, message: taken === "refused" ? "the output is too large, and the attempt has failed" : "" }
        : { standing: taken.standing, message: `the task is ${taken.state}: the attempt has ended`, stands: taken };
    } catch (error) {
      if (!isOrchestratorError(error)) throw error;
      return { standing: "unavailable", message: error.message, moved: error.code === "RUN_MOVED" };
    }
  }

  runOf(caller: Caller, sessionId: string, token: string): string | null {
    const ref = this.#find(caller, sessionId)?.refOf(token) ?? this.#parts.tokens.open(caller.tenantId, token);
    return ref?.runId ?? null;
  }

  async forwardReports<Result extends { readonly isOver: boolean }>(
    caller: Caller,
    sessionId: string,
    owner: string,
    reports: readonly { readonly token: string; readonly kind: ReportKind }[],
    send: (passed: Forwarding | null) => Promise<readonly Result[]>,
  ): Promise<readonly Result[]> {
    const session = this.#findHere(caller, sessionId);
    if (session === null) return send(null);
    const ended: string[] = [];
    for (const { token, kind } of reports) {
      if (kind === "handed_back") session.pause();
      if (kind !== "acknowledged" && kind !== "alive") ended.push(token);
      else {
        const ref = session.refOf(token) ?? this.#parts.tokens.open(caller.tenantId, token);
        if (ref !== null) session.slotOf(ref, token);
      }
      session.markAcknowledged(token);
    }
    const passed = this.#parts.peers.forwardReports(session, owner, ended);
    const results = await session.ending(ended, () => send(passed));
    for (const [index, { isOver }] of results.entries()) if (isOver) session.done(reports[index]?.token ?? "");
    return results;
  }

  touch(caller: Caller, sessionId: string): boolean {
    const session = this.#findHere(caller, sessionId);
    session?.markSeen();
    return session !== null;
  }

  goodbye(caller: Caller, sessionId: string): boolean {
    const session = this.#findHere(caller, sessionId);
    if (session !== null) this.#end(session, "HANDED_BACK");
    return session !== null;
  }

  listAll(): readonly WorkerView[] {
    return [...this.#sessions.values()].map((session) => session.view());
  }

  list({ tenantId }: Caller): readonly WorkerView[] {
    return [...this.#sessions.values()].flatMap((session) => (session.tenantId === tenantId ? [session.view()] : []));
  }

  drain({ tenantId, actor }: Caller, workerId: string, why: string): WorkerView | null {
    for (const session of this.#sessions.values()) {
      if (session.tenantId !== tenantId || workerIdOf(session.id) !== workerId) continue;
      session.drain(actor, why);
      this.#parts.peers.drained(session);
      return session.view();
    }
    return null;
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    for (const session of this.#sessions.values()) session.end();
    this.#sessions.clear();
  }

  async #take(
    ref: HandOverRef,
    token: string,
    report: WorkerReport,
    session: Taker | null,
  ): Promise<Standing | AlreadyReported> {
    const { handOvers } = this.#parts;
    if (isSignOfLife(report)) {
      // Taken at once: the end may be reported while this waits.
      const standing = await handOvers.alive(ref, session?.slotOf(ref, token) ?? null);
      if (standing === "outdated" || standing === "unknown") session?.done(token);
      else if (report.type === "noted") handOvers.note(ref, report.note);
      else if (report.type === "checkpoint") handOvers.checkpoint(ref, report.text);
      return standing;
    }
    if (report.type === "handed_back") session?.pause();
    // The slot is free for what follows in the same run.
    session?.done(token);
    const record = (): Promise<Standing | AlreadyReported> => this.#record(ref, report);
    return session === null ? record() : session.ending([token], record);
  }

  /** Records the end of a hand-over. */
  #record(ref: HandOverRef, report: EndReport): Promise<Standing | AlreadyReported> {
    const { handOvers, log } = this.#parts;
    switch (report.type) {
      case "ended":
        return handOvers.reported(ref, report.outcome);
      case "stopped": {
        const error = { type: "CANCELED", message: "the worker stopped the task", retryable: true };
        return handOvers.reported(ref, { ok: false, error });
      }
      case "detached":
        return handOvers.detached(ref);
      case "handed_back":
        log.info("a worker handed a task back", { runId: ref.runId, reason: report.reason });
        return handOvers.returned(ref, "HANDED_BACK");
    }
  }

  #findHere({ tenantId }: Caller, sessionId: string): Session | null {
    const session = this.#sessions.get(sessionId);
    return session?.tenantId === tenantId ? session : null;
  }

  /** Also one at another instance. */
  #find(caller: Caller, sessionId: string): Taker | null {
    const here = this.#findHere(caller, sessionId);
    if (here !== null) return here;
    const there = this.#parts.peers.sessionOf(sessionId);
    return there?.tenantId === caller.tenantId ? there : null;
  }

  #endSilent(): void {
    const before = performance.now() - this.#sessionTimeoutMs;
    for (const session of [...this.#sessions.values()]) {
      if (session.lastSeenAt < before) this.#end(session, "WORKER_LOST");
    }
  }

  /** Ends a session. What it acknowledged is lost; the rest goes back for the reason `unbegun`. */
  #end(session: Session, unbegun: "WORKER_LOST" | "HANDED_BACK"): void {
    this.#sessions.delete(session.id);
    this.#parts.dispatcher.remove(session);
    const lost = session.end();
    this.#parts.peers.ended(session, unbegun === "HANDED_BACK");
    for (const ref of lost) this.#give(session, ref, ref.isUnacknowledged ? unbegun : "WORKER_LOST", unbegun);
  }

  /**
   * Takes back what a worker held. The run may have moved since the hand-over: then its owner does, if the worker has
   * said that it leaves or has not begun. One that fell silent here may have been heard there.
   */
  #give({ id: sessionId }: Session, { runId, fence }: HandOverRef, reason: LossReason, unbegun = reason): void {
    const ref = { runId, fence };
    if (!this.#parts.owns(runId)) {
      if (unbegun !== "WORKER_LOST") this.#parts.peers.lost({ sessionId, ...ref, reason });
      return;
    }
    this.#parts.handOvers.returned(ref, reason).catch((error: unknown) => {
      this.#parts.log.warn("a task of a lost worker could not be taken back here", { runId: ref.runId, error });
    });
  }
}

type SignOfLife = Extract<WorkerReport, { readonly type: "acknowledged" | "alive" | "noted" | "checkpoint" }>;

/** A report after which the worker does not have the task any more. */
type EndReport = Exclude<WorkerReport, SignOfLife>;

/** Whether the worker goes on with the task. */
function isSignOfLife(report: WorkerReport): report is SignOfLife {
  switch (report.type) {
    case "acknowledged":
    case "alive":
    case "noted":
    case "checkpoint":
      return true;
    default:
      return false;
  }
}
