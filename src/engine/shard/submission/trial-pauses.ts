/**
 * The pauses between trials, which tell an entity that kills from somebody who kills from outside: an entity that kills
 * never hits a pause. How long they are follows the trials of this instance, because a trial takes 3 ms on one machine
 * and 200 ms on another.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Lifecycle } from "../lifecycle.ts";

/** A marked entity is tried at a random time within a span that is so many times as long as a trial. */
const SPREAD = 100;

/** Shortest and longest such span, milliseconds. */
const SHORTEST_MS = 5_000;
const LONGEST_MS = 30_000;

/** The weight of the last trial in what trials take. */
const LAST = 0.25;

/** The span within which a marked entity is tried, milliseconds, when a trial takes `tookMs`. */
export function spanOf(tookMs: number): number {
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, SPREAD * tookMs));
}

/** The pauses of one instance. They end at once when it drains or stops. */
export class TrialPauses {
  readonly #lifecycle: Lifecycle;
  readonly #fixedMs: number | undefined;
  #tookMs = 0;

  /** `fixedMs`: the span whatever trials take, for tests. */
  constructor(lifecycle: Lifecycle, fixedMs: number | undefined) {
    this.#lifecycle = lifecycle;
    this.#fixedMs = fixedMs;
  }

  /** What a trial took, or is expected to take before the first. */
  note(tookMs: number): void {
    this.#tookMs = this.#tookMs === 0 ? tookMs : this.#tookMs + LAST * (tookMs - this.#tookMs);
  }

  /** Before the trial of a marked entity: a random part of the span, which may still grow or shrink meanwhile. */
  beforeMarked(): Promise<void> {
    const part = Math.random();
    return this.#pass(() => part * this.#span());
  }

  /** After a trial: twice as long as it took, on average; random, so that no steady pace can miss it. */
  after(tookMs: number): Promise<void> {
    const ms = 4 * Math.random() * tookMs;
    return this.#pass(() => Math.min(ms, this.#span()));
  }

  #span(): number {
    return this.#fixedMs ?? spanOf(this.#tookMs);
  }

  async #pass(ms: () => number): Promise<void> {
    const startedAt = performance.now();
    while (!this.#lifecycle.draining && !this.#lifecycle.stopping) {
      const left = startedAt + ms() - performance.now();
      if (left <= 0) return;
      await sleep(Math.min(left, 20));
    }
  }
}
