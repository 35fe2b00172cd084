/**
 * The conversation with another instance.
 *
 *   unknown → each knows the epoch of the other: open → a call fails, or the other has another epoch → all is forgotten
 *                                                       on both sides, and it begins anew
 *
 * One call is in flight at a time; what arrives meanwhile goes with the next one. After a failure, this instance takes
 * a higher epoch, so that whatever the other still sends under the old one has no effect.
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
  /** Both instances know each other. Everything must be announced. */
  opened(): void;
  /** Everything agreed so far is void. */
  forgotten(): void;
  /** Takes a message. Returns the tokens of the tasks that found no slot. */
  take(message: PeerMessage): readonly string[];
  /** These tasks were sent and found no slot. */
  refused(tokens: readonly string[]): void;
}

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
  /** Higher than any epoch of an earlier instance of the same name. */
  #epoch = Date.now();
  #seen = 0;
  #sending = false;
  #closed = false;
  #failures = 0;
  #retryAt = 0;
  /** `performance.now()` of the last call. */
  #lastSentAt = 0;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#seen !== 0;
  }

  /** Its name, as this instance sees it. */
  get name(): Named {
    return { from: this.#parts.self, epoch: this.#epoch, seen: this.#seen };
  }

  /** Whether a message of the other instance belongs to it. */
  matches({ epoch, seen }: Pick<Named, "epoch" | "seen">): boolean {
    return epoch === this.#seen && seen === this.#epoch;
  }

  /** Makes a call if the last one is at least `withinMs` ago, so that each side sees that the other is alive. */
  keepAlive(withinMs: number): void {
    if (performance.now() - this.#lastSentAt >= withinMs) void this.#send();
  }

  /** Takes a message of the other instance. */
  receive(named: Named, message: PeerMessage): PeerAnswer {
    this.#adopt(named.epoch);
    const taken = this.matches(named);
    return { epoch: this.#epoch, taken, refused: taken ? this.#parts.listener.take(message) : [] };
  }

  /** The other instance is gone. */
  close(): void {
    this.#closed = true;
    this.#forget();
  }

  #adopt(epoch: number): void {
    // A lower one is outdated.
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
    // Everything added by the current callback goes together.
    queueMicrotask(() => void this.#send());
  }

  async #send(): Promise<void> {
    if (this.#sending || this.#closed || performance.now() < this.#retryAt) return;
    this.#sending = true;
    const { peer, calls, log, listener } = this.#parts;
    try {
      do {
        this.#lastSentAt = performance.now();
        const { name } = this;
        const message = this.outbox.take();
        const { epoch, taken, refused } = await calls.exchange(peer, name, message);
        if (epoch === 0) throw new Error("it does not know this instance yet");
        if (taken && this.matches({ epoch, seen: name.epoch })) listener.refused(refused);
        else if (!taken && epoch <= name.seen) throw new Error("it knows a higher epoch of this instance");
        this.#failures = 0;
        this.#adopt(epoch);
      } while (!this.outbox.isEmpty && !this.#closed);
    } catch (error) {
      this.#failures += 1;
      this.#retryAt = performance.now() + Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
      // Grows fast: the clock of the machine may have been ahead when an instance of this name was started before.
      this.#epoch += 10 ** Math.min(this.#failures - 1, 12);
      if (this.isOpen && !this.#closed)
        log.warn("another instance and its workers are out of reach", {
          instance: peer.id,
          address: peer.address,
          error,
        });
      this.#forget();
    } finally {
      this.#sending = false;
    }
  }
}
