/**
 * A session at another instance that lends slots of its worker. Tasks are sent to that instance, and reports arrive
 * from it.
 */
import type { HandedTask, Line } from "../../ports/dispatch/hand-overs.ts";
import { NO_SKILLS, Skills, type SkillsGiven } from "../skills.ts";
import { type HeldRef, type TakenSlot, Taker, type TakerParts } from "../taker.ts";
import { keyOf } from "../waiting-tasks.ts";
import type { Outbox } from "./outbox.ts";

/** A session at another instance. */
export class RemoteSession extends Taker {
  readonly isHere = false;
  skills = NO_SKILLS;
  readonly #outbox: Outbox;
  #lines: ReadonlySet<string> = new Set();
  /** Slots lent, used, and returned so far. */
  #lent = 0;
  #used = 0;
  #returned = 0;
  /** Fewest unused slots since the last {@link returnIdle}. */
  #idle = 0;
  #ended = false;

  constructor(parts: TakerParts, outbox: Outbox) {
    super(parts);
    this.#outbox = outbox;
  }

  /** The other instance has described the worker. */
  introduce(given: SkillsGiven): void {
    this.skills = new Skills(this.tenantId, given);
    this.#lines = new Set(this.skills.lines.map(keyOf));
  }

  /** Whether its worker does tasks of the line. */
  serves(line: Line): boolean {
    return this.#lines.has(keyOf(line));
  }

  /** The other instance has lent `total` slots so far. */
  lend(total: number): void {
    if (total <= this.#lent) return;
    this.#lent = total;
    // Its instance lends no slots of an unresponsive worker.
    this.isUnresponsive = false;
    this.offer();
  }

  /** Returns the slots that were not used since the last call. */
  returnIdle(): void {
    this.#returnSlots(Math.min(this.#idle, this.room));
    this.#idle = this.room;
  }

  /** Returns all unused slots. */
  returnAll(): void {
    this.#returnSlots(this.room);
    // Even if there are none: the other instance waits for an answer.
    this.#outbox.returnSlots(this.id, this.#returned);
  }

  /**
   * Its instance or its worker is gone. Returns what it held; with `unacknowledged`, only what was not acknowledged.
   */
  end({ unacknowledged }: { readonly unacknowledged: boolean }): readonly HeldRef[] {
    this.#ended = true;
    this.lose();
    return this.held({ unacknowledged });
  }

  override reserve(): TakenSlot {
    const slot = super.reserve();
    this.#idle = Math.min(this.#idle, this.room);
    return slot;
  }

  protected get room(): number {
    return this.#ended ? 0 : this.#lent - this.#used - this.#returned - this.unsent;
  }

  protected sendTask(token: string, task: HandedTask): void {
    this.#used += 1;
    if (!this.#ended) this.#outbox.send({ sessionId: this.id, token, task });
  }

  protected sendCancel(token: string, reason: string): void {
    if (!this.#ended) this.#outbox.cancel({ sessionId: this.id, token, reason });
  }

  protected freed({ ref, token }: TakenSlot, byHolder: boolean): void {
    if (this.#ended) return;
    if (ref === null) this.offer();
    else if (byHolder) return;
    else if (this.#outbox.withdraw(token)) {
      this.#used -= 1;
      this.offer();
    } else this.#outbox.release({ sessionId: this.id, token, reason: "" });
  }

  #returnSlots(count: number): void {
    if (count <= 0) return;
    this.#returned += count;
    this.#outbox.returnSlots(this.id, this.#returned);
  }
}
