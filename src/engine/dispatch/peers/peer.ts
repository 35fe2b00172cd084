/**
 * Another instance: the slots that it has of workers here, and those that this one has of workers there.
 *
 *   lines that workers here serve  → there
 *   tasks that wait here, in lines that workers there serve → there
 *   there is a free slot, and nothing goes before → it is lent; a task comes for it, or it comes back
 */
import type { Log } from "../../../base/log.ts";
import type { OtherInstance } from "../../ports/cluster.ts";
import type { HandOverRef, HandOvers, Line } from "../../ports/dispatch/hand-overs.ts";
import type { LossReason, Conversation as Named, PeerCalls, PeerMessage, Want } from "../../ports/dispatch/peers.ts";
import type { Dispatcher } from "../dispatcher.ts";
import type { Seal } from "../taker.ts";
import { keyOf } from "../waiting-tasks.ts";
import { Conversation } from "./conversation.ts";
import type { Demand } from "./demand.ts";
import { Loans } from "./loans.ts";
import { RemoteSession } from "./remote-session.ts";

/** How often instances that work together exchange messages at least, milliseconds. */
const KEEP_ALIVE_MS = 1_000;

/** The count that the other instance assumes is not known here. */
const UNKNOWN = -1;

export interface PeerParts {
  readonly self: string;
  readonly calls: PeerCalls;
  readonly dispatcher: Dispatcher;
  readonly demand: Demand<Peer>;
  readonly handOvers: HandOvers;
  readonly seal: Seal;
  readonly log: Log;
}

/** Another instance. */
export class Peer {
  readonly id: string;
  readonly conversation: Conversation;
  /** Slots of workers here that it has borrowed. */
  readonly loans: Loans;
  readonly #parts: PeerParts;
  /** Sessions there of which this instance has borrowed slots. */
  readonly #sessions = new Map<string, RemoteSession>();
  /** Lines that workers there serve. */
  readonly #lines = new Map<string, Line>();
  /** What was announced to it: lines served here, and demand here. */
  readonly #served = new Map<string, Line>();
  readonly #wants = new Map<string, Want>();

  constructor(parts: PeerParts, peer: OtherInstance) {
    this.id = peer.id;
    this.#parts = parts;
    const { self, calls, log } = parts;
    const listener = {
      opened: () => this.#announceAll(),
      forgotten: () => this.#forget(),
      take: (message: PeerMessage) => this.#take(message),
      refused: (tokens: readonly string[]) => this.#refused(tokens),
    };
    this.conversation = new Conversation({ self, peer, calls, listener, log });
    this.loans = new Loans(this.conversation.outbox);
  }

  /** Announces what has changed, and keeps the conversation alive while it is needed. */
  refresh(): void {
    const { dispatcher } = this.#parts;
    for (const line of this.#lines.values()) if (dispatcher.isLow(line)) void dispatcher.loadHeads(line);
    if (this.conversation.isOpen) this.#announceAll();
    const isNeeded =
      this.#served.size > 0 || dispatcher.served.size > 0 || this.#lines.size > 0 || this.#sessions.size > 0;
    if (isNeeded || !this.loans.isEmpty) this.conversation.keepAlive(KEEP_ALIVE_MS);
  }

  /** Returns the slots that have not been used for a while. */
  returnIdle(): void {
    for (const session of this.#sessions.values()) session.returnIdle();
  }

  /** Announces the lines that workers here serve. */
  announceLines(): void {
    if (!this.conversation.isOpen) {
      this.conversation.keepAlive(0);
      return;
    }
    const { outbox } = this.conversation;
    const { served } = this.#parts.dispatcher;
    for (const [key, line] of served) {
      if (this.#served.has(key)) continue;
      this.#served.set(key, line);
      outbox.serve(line, true);
    }
    for (const [key, line] of this.#served) {
      if (served.has(key)) continue;
      this.#served.delete(key);
      outbox.serve(line, false);
    }
  }

  /**
   * The demand in a line may have changed. Announces at once what matters to the other instance: that there is some,
   * that there is none, or that something more urgent waits. `exactly`: announces every change.
   */
  announceDemand(line: Line, exactly = false): void {
    if (!this.#lines.has(keyOf(line))) return;
    for (const want of this.#parts.dispatcher.wantsOf(line)) this.#announce(want, exactly);
  }

  /** Whether workers there serve the line. */
  serves(line: Line): boolean {
    return this.#lines.has(keyOf(line));
  }

  /** Reads what waits here for workers there. */
  learnAll(): void {
    for (const line of this.#lines.values()) void this.#parts.dispatcher.loadHeads(line);
  }

  /** A session there; undefined if it is not known here. */
  sessionOf(sessionId: string): RemoteSession | undefined {
    return this.#sessions.get(sessionId);
  }

  /** Reports of a session there follow. */
  noteSession(named: Named, tenantId: string, sessionId: string, lent: number): void {
    if (!this.conversation.matches(named)) return;
    const session = this.#open(sessionId, tenantId);
    if (lent > 0) this.#lent(session, lent);
  }

  /** The instance is gone. */
  close(): void {
    this.conversation.close();
  }

  #announce(want: Want, exactly: boolean): void {
    const key = `${keyOf(want)} ${want.labels}`;
    const told = this.#wants.get(key);
    if (told === undefined ? want.count === 0 : isSame(told, want)) return;
    const isUrgent = told === undefined || told.count === UNKNOWN || want.count === 0 || want.priority > told.priority;
    if (!isUrgent && !exactly) return;
    if (want.count === 0) this.#wants.delete(key);
    else this.#wants.set(key, want);
    this.conversation.outbox.want(want);
  }

  #announceAll(): void {
    this.announceLines();
    for (const line of this.#lines.values()) this.announceDemand(line, true);
  }

  #take(message: PeerMessage): readonly string[] {
    const { dispatcher, demand } = this.#parts;
    for (const line of message.served) {
      this.#lines.set(keyOf(line), line);
      void dispatcher.loadHeads(line);
    }
    for (const line of message.unserved) {
      this.#lines.delete(keyOf(line));
      for (const [key, want] of this.#wants) if (keyOf(want) === keyOf(line)) this.#wants.delete(key);
    }
    for (const given of message.sessions) {
      const session = this.#open(given.sessionId, given.tenantId);
      session.introduce(given);
      dispatcher.add(session);
    }
    for (const { sessionId, total } of message.lent) {
      const session = this.#sessions.get(sessionId);
      if (session !== undefined) this.#lent(session, total);
    }
    for (const sessionId of message.recalled) this.#sessions.get(sessionId)?.returnAll();
    for (const sessionId of message.disconnected) this.#disconnected(sessionId);
    for (const sessionId of message.ended) this.#end(sessionId, message.left.includes(sessionId));
    for (const { sessionId, reason, ...ref } of message.lost) this.#give(ref, reason, sessionId);
    const refused = message.tasks.filter((task) => !this.loans.deliver(task)).map(({ token }) => token);
    for (const notice of message.cancellations) this.loans.cancel(notice);
    for (const notice of message.releases) this.loans.release(notice);
    for (const count of message.returned) this.loans.takeBack(count);
    for (const want of message.wants) demand.set(this, want);
    for (const want of message.wants) if (want.count > 0) dispatcher.requestedElsewhere(want, this);
    return refused;
  }

  /** Slots were lent. The other instance deducts them from the demand that it knows, so its count is uncertain now. */
  #lent(session: RemoteSession, total: number): void {
    session.lend(total);
    for (const [key, told] of this.#wants) {
      if (!session.serves(told)) continue;
      this.#wants.set(key, { ...told, count: UNKNOWN });
      this.announceDemand(told);
    }
  }

  #open(sessionId: string, tenantId: string): RemoteSession {
    const known = this.#sessions.get(sessionId);
    if (known !== undefined) return known;
    const { seal, dispatcher } = this.#parts;
    const onFree = (): void => dispatcher.fill(session);
    const session = new RemoteSession({ id: sessionId, tenantId, seal, onFree }, this.conversation.outbox);
    this.#sessions.set(sessionId, session);
    return session;
  }

  #disconnected(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.returnAll();
    for (const ref of session.held({ unacknowledged: true })) this.#give(ref, "UNACKNOWLEDGED");
  }

  #end(sessionId: string, left: boolean): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#sessions.delete(sessionId);
    this.#parts.dispatcher.remove(session);
    for (const ref of session.end({ unacknowledged: false }))
      this.#give(ref, left && ref.isUnacknowledged ? "HANDED_BACK" : "WORKER_LOST");
  }

  #refused(tokens: readonly string[]): void {
    for (const token of tokens)
      for (const session of this.#sessions.values()) {
        const ref = session.refOf(token);
        if (ref === null) continue;
        session.done(token);
        this.#give(ref, "HANDED_BACK");
      }
  }

  /** Workers there are out of reach. They keep what they have acknowledged until their session times out. */
  #forget(): void {
    const { dispatcher, demand } = this.#parts;
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    this.#lines.clear();
    this.#served.clear();
    this.#wants.clear();
    demand.forget(this);
    this.loans.forget();
    for (const session of sessions) {
      dispatcher.remove(session);
      for (const ref of session.end({ unacknowledged: true })) this.#give(ref, "UNACKNOWLEDGED");
    }
  }

  #give({ runId, fence }: HandOverRef, reason: LossReason, holder?: string): void {
    const ref = { runId, fence };
    this.#parts.handOvers.returned(ref, reason, holder).catch((error: unknown) => {
      this.#parts.log.warn("a task of another instance's worker could not be taken back", { runId: ref.runId, error });
    });
  }
}

function isSame(a: Want, b: Want): boolean {
  return a.count === b.count && a.priority === b.priority && a.turn === b.turn;
}
