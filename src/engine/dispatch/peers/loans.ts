/** Slots of workers here that another instance has borrowed. */
import type { SentTask, SlotCount, TaskNotice } from "../../ports/dispatch/peers.ts";
import type { Session } from "../session.ts";
import type { TakenSlot } from "../taker.ts";
import { keyOf } from "../waiting-tasks.ts";
import type { Outbox } from "./outbox.ts";

/** What is lent of one session. */
interface Loan {
  readonly session: Session;
  readonly keys: ReadonlySet<string>;
  /** Lent and not used. */
  readonly slots: TakenSlot[];
  /** The other instance can tell its tasks apart by handler. */
  introduced: boolean;
  /** Slots lent and returned so far. */
  lent: number;
  returned: number;
  /** The other instance was asked to return what it does not use. */
  recalled: boolean;
}

/** The loans of one other instance. */
export class Loans {
  readonly #outbox: Outbox;
  readonly #loans = new Map<string, Loan>();
  /** Those with slots that are not used. */
  readonly #unused = new Set<Loan>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  get isEmpty(): boolean {
    return this.#loans.size === 0;
  }

  /** Makes the session known to the other instance. */
  know(session: Session): void {
    this.#loanOf(session);
  }

  /** Lends a free slot. */
  lend(session: Session): void {
    const loan = this.#loanOf(session);
    this.#lend(loan, session.reserve());
    this.#outbox.lend(session.id, loan.lent);
  }

  /**
   * A task ended, and its slot goes to the other instance together with the report. Returns the number of slots lent so
   * far; 0 if the task had none.
   */
  lendAgain(session: Session, token: string): number {
    const slot = session.renew(token);
    if (slot === null) return 0;
    const loan = this.#loanOf(session);
    this.#lend(loan, slot);
    return loan.lent;
  }

  /** Asks for the unused slots of workers that serve the line. */
  recall(key: string): void {
    for (const loan of this.#unused) if (loan.keys.has(key)) this.#recall(loan);
  }

  /** Asks for the unused slots of a worker. */
  recallOf(session: Session): void {
    const loan = this.#loans.get(session.id);
    if (loan !== undefined && this.#unused.has(loan)) this.#recall(loan);
  }

  /**
   * A task has arrived. False when no slot is lent for it, or the worker takes none: it is out of reach, or drained.
   */
  deliver({ sessionId, token, task }: SentTask): boolean {
    const loan = this.#loans.get(sessionId);
    const slot = loan?.slots.pop();
    if (loan === undefined || slot === undefined) return false;
    if (loan.slots.length === 0) this.#unused.delete(loan);
    if (!loan.session.isReady) {
      slot.release();
      return false;
    }
    loan.session.send(slot, task, token);
    return true;
  }

  cancel({ sessionId, token, reason }: TaskNotice): void {
    this.#loans.get(sessionId)?.session.cancelHeld(token, reason);
  }

  release({ sessionId, token }: TaskNotice): void {
    this.#loans.get(sessionId)?.session.done(token);
  }

  /** Slots were returned. */
  takeBack({ sessionId, total }: SlotCount): void {
    const loan = this.#loans.get(sessionId);
    if (loan === undefined) return;
    loan.recalled = false;
    const count = total - loan.returned;
    if (count <= 0) return;
    loan.returned = total;
    this.#release(loan, count);
  }

  /** The stream of the session broke. */
  disconnected(session: Session): void {
    if (this.#loans.has(session.id)) this.#outbox.disconnect(session.id);
  }

  ended(session: Session, left: boolean): void {
    const loan = this.#loans.get(session.id);
    if (loan === undefined) return;
    this.#loans.delete(session.id);
    this.#release(loan, loan.slots.length);
    this.#outbox.end(session.id, left);
  }

  /** The other instance is gone, or starts again. */
  forget(): void {
    const loans = [...this.#loans.values()];
    this.#loans.clear();
    for (const loan of loans) this.#release(loan, loan.slots.length);
  }

  #recall(loan: Loan): void {
    if (loan.recalled) return;
    loan.recalled = true;
    this.#outbox.recall(loan.session.id);
  }

  #lend(loan: Loan, slot: TakenSlot): void {
    slot.isLent = true;
    loan.slots.push(slot);
    loan.lent += 1;
    this.#unused.add(loan);
    if (loan.introduced) return;
    loan.introduced = true;
    const { id: sessionId, tenantId, worker } = loan.session;
    const { queues, handlers, labels, buildId } = worker;
    this.#outbox.introduce({ sessionId, tenantId, queues, handlers, labels, buildId });
  }

  #loanOf(session: Session): Loan {
    const known = this.#loans.get(session.id);
    if (known !== undefined) return known;
    const keys = new Set(session.skills.lines.map(keyOf));
    const loan: Loan = { session, keys, slots: [], introduced: false, lent: 0, returned: 0, recalled: false };
    this.#loans.set(session.id, loan);
    return loan;
  }

  #release(loan: Loan, count: number): void {
    const slots = loan.slots.splice(-count, count);
    if (loan.slots.length === 0) this.#unused.delete(loan);
    for (const slot of slots) slot.release();
  }
}
