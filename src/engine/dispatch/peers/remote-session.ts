/**
 * The session of a worker that is connected to another instance, as far as that lends slots of it. What is sent goes
 * there, and what the worker says comes from there.
 */
import type { HandedTask, HandOverRef, Line } from "../../ports/dispatch/hand-overs.ts";
import { NO_SKILLS, Skills, type SkillsGiven } from "../skills.ts";
import { type TakenSlot, Taker, type TakerParts } from "../taker.ts";
import { keyOf } from "../waiting-tasks.ts";
import type { Outbox } from "./outbox.ts";

/** A session at another instance. */
export class RemoteSession extends Taker {
  readonly isHere = false;
  skills = NO_SKILLS;
  readonly #outbox: Outbox;
  #lines: ReadonlySet<string> = new Set();
  /** Slots that were ever lent, used, and given back. */
  #lent = 0;
  #used = 0;
  #returned = 0;
  /** Fewest unused slots since the last {@link giveBackIdle}. */
  #idle = 0;
  #ended = false;

  constructor(parts: TakerParts, outbox: Outbox) {
    super(parts);
    this.#outbox = outbox;
  }

  /** Its worker has introduced itself. */
  introduce(given: SkillsGiven): void {
    this.skills = new Skills(this.tenantId, given);
    this.#lines = new Set(this.skills.lines.map(keyOf));
  }

  /** Whether its worker does tasks of the line. */
  serves(line: Line): boolean {
    return this.#lines.has(keyOf(line));
  }

  /** So many slots were lent until now. */
  lend(total: number): void {
    if (total <= this.#lent) return;
    this.#lent = total;
    // Its instance would not lend slots of a worker that says nothing.
    this.isDeaf = false;
    this.offer();
  }

  /** Gives back the slots that were not used since the last call. */
  giveBackIdle(): void {
    this.#giveBack(Math.min(this.#idle, this.room));
    this.#idle = this.room;
  }

  /** Gives back the slots that are not used. */
  giveBackAll(): void {
    this.#giveBack(this.room);
    // Also when there are none: the other instance waits for an answer.
    this.#outbox.giveBack(this.id, this.#returned);
  }

  /** Its instance, or its worker, is gone. Returns what it held; only that of which nothing was heard when `silent`. */
  end({ silent }: { readonly silent: boolean }): readonly HandOverRef[] {
    this.#ended = true;
    this.lose();
    return this.held({ silent });
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

  protected freed({ ref, token }: TakenSlot, told: boolean): void {
    if (this.#ended) return;
    if (ref === null) this.offer();
    else if (told) return;
    else if (this.#outbox.withdraw(token)) {
      this.#used -= 1;
      this.offer();
    } else this.#outbox.release({ sessionId: this.id, token, reason: "" });
  }

  #giveBack(count: number): void {
    if (count <= 0) return;
    this.#returned += count;
    this.#outbox.giveBack(this.id, this.#returned);
  }
}
