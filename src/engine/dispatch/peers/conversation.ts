/**
 * The conversation with another instance.
 *
 *   unknown → each knows the epoch of the other: open → a call fails, or the other has another epoch → all is forgotten
 *                                                       on both sides, and it begins anew
 *
 * One call is under way at a time, and what comes meanwhile goes with the next one. After a failure this instance takes
 * a higher epoch: whatever the other still sends to the old one has no effect.
 */
import type { Log } from "../../../base/log.ts";
import type { OtherInstance } from "../../ports/cluster.ts";
import type { Conversation as Named, PeerAnswer, PeerCalls, PeerMessage } from "../../ports/dispatch/peers.ts";
import { Outbox } from "./outbox.ts";

/** Pause after a failed call, milliseconds; doubled each time, up to the longest. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** What happens in a conversation. */
export interface Listener {
  /** Both know each other: everything is to be said. */
  opened(): void;
  /** What was agreed holds no longer. */
  forgotten(): void;
  /** Takes a message. Returns the tokens of the tasks that found no slot. */
  take(message: PeerMessage): readonly string[];
  /** These tasks were sent and found no slot. */
  refused(tokens: readonly string[]): void;
}

/** What a conversation takes. */
export interface ConversationParts {
  readonly self: string;
  readonly peer: OtherInstance;
  readonly calls: PeerCalls;
  readonly listener: Listener;
  readonly log: Log;
}

/** A conversation. */
export class Conversation {
  readonly outbox = new Outbox(() => this.#wake());
  readonly #parts: ConversationParts;
  /** Rises above what an instance of the same name had before it was started again. */
  #epoch = Date.now();
  #seen = 0;
  #sending = false;
  #closed = false;
  #failures = 0;
  #retryAt = 0;
  /** `performance.now()` of the last call. */
  #saidAt = 0;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#seen !== 0;
  }

  /** How this instance names it. */
  get name(): Named {
    return { from: this.#parts.self, epoch: this.#epoch, seen: this.#seen };
  }

  /** Whether a message of the other belongs to it. */
  isOurs({ epoch, seen }: Pick<Named, "epoch" | "seen">): boolean {
    return epoch === this.#seen && seen === this.#epoch;
  }

  /** Says something within `withinMs`, so that each side sees that the other is there. */
  keepUp(withinMs: number): void {
    if (performance.now() - this.#saidAt >= withinMs) void this.#send();
  }

  /** Takes a message of the other instance. */
  hear(named: Named, message: PeerMessage): PeerAnswer {
    this.#learn(named.epoch);
    const taken = this.isOurs(named);
    return { epoch: this.#epoch, taken, refused: taken ? this.#parts.listener.take(message) : [] };
  }

  /** The other instance is gone. */
  close(): void {
    this.#closed = true;
    this.#forget();
  }

  #learn(epoch: number): void {
    // A lower one is from before.
    if (this.#closed || epoch <= this.#seen) return;
    this.#forget();
    this.#seen = epoch;
    this.#parts.listener.opened();
  }

  #forget(): void {
    const wasOpen = this.isOpen;
    this.#seen = 0;
    this.outbox.clear();
    if (wasOpen) this.#parts.listener.forgotten();
  }

  #wake(): void {
    // What is said in the same turn goes together.
    queueMicrotask(() => void this.#send());
  }

  async #send(): Promise<void> {
    if (this.#sending || this.#closed || performance.now() < this.#retryAt) return;
    this.#sending = true;
    const { peer, calls, log, listener } = this.#parts;
    try {
      do {
        this.#saidAt = performance.now();
        const { name } = this;
        const message = this.outbox.take();
        const { epoch, taken, refused } = await calls.exchange(peer, name, message);
        if (epoch === 0) throw new Error("it does not know this instance yet");
        if (taken && this.isOurs({ epoch, seen: name.epoch })) listener.refused(refused);
        else if (!taken && epoch <= name.seen) throw new Error("it remembers this instance from a later time");
        this.#failures = 0;
        this.#learn(epoch);
      } while (!this.outbox.isEmpty && !this.#closed);
    } catch (error) {
      this.#failures += 1;
      this.#retryAt = performance.now() + Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
      // Grows fast: the clock of the machine may have been ahead when an instance of this name was started before.
      this.#epoch += 10 ** Math.min(this.#failures - 1, 12);
      if (this.isOpen && !this.#closed)
        log.warn("lost sight of the workers at an instance", { instance: peer.id, address: peer.address, error });
      this.#forget();
    } finally {
      this.#sending = false;
    }
  }
}
