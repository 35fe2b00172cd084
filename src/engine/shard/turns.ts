/**
 * Turns: one run cannot keep the event loop, whatever its flow makes it do.
 *
 *   event → decide → settle ──nothing left to do──→ settled
 *                      └──the turn is used up──→ what there is is committed ──→ waits for its turn ──→ settle …
 *
 * A turn is what all runs together may do in one round of the event loop, and what one of them may do of it. Runs that wait go one after the other; between two
 * rounds the loop serves whatever else there is. A run may be cut between any two steps: its journal says where it stands, and events that come meanwhile are
 * decided at once. What a run does before its next turn is durable first, so a move has a bound and so has what lies in memory.
 */

import type { RunEvent } from "../machine/events.ts";
import type { Turn } from "../machine/settle.ts";
import { isTerminalPhase } from "../machine/state.ts";
import { type Cell, isClean } from "./cell.ts";

/** Steps and records of all runs in one round; about 10 µs each. */
const ROUND_WORK = 20_000;

/** Steps and records of one run in one round: a move has at most about half as many records. */
export const RUN_WORK = 8_000;

/** Steps of expressions of all runs in one round, about 80 ns each. One value may take 300,000 by itself. */
const ROUND_STEPS = 500_000;

/** What turns need of the runtime. */
export interface TurnHost {
  /** This instance is about to leave: the next owner goes on with its runs. */
  readonly draining: boolean;
  now(): number;
  post(cell: Cell, event: RunEvent): void;
}

/** Hands out turns. */
export class Turns {
  readonly #host: TurnHost;
  readonly #waiting = new Set<Cell>();
  readonly #turn: Turn = { work: ROUND_WORK, perRun: RUN_WORK, steps: ROUND_STEPS };
  #armed = false;

  constructor(host: TurnHost) {
    this.#host = host;
  }

  /** What is left of this round. */
  take(): Turn {
    const turn = this.#turn;
    // A round in which little was done needs no new one at once.
    if (turn.work < ROUND_WORK / 2 || turn.steps < ROUND_STEPS / 2) this.#arm();
    return turn;
  }

  /** Queues the run for its next turn, if it needs one and what it did is durable. Otherwise the commit calls again. */
  queue(cell: Cell): void {
    if (!cell.run.unsettled || !isClean(cell) || cell.gone || this.#host.draining) return;
    this.#waiting.add(cell);
    this.#arm();
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => this.#round());
  }

  #round(): void {
    const turn = this.#turn;
    this.#armed = false;
    turn.work = ROUND_WORK;
    turn.steps = ROUND_STEPS;
    for (const cell of this.#waiting) {
      if (turn.work <= 0 || turn.steps <= 0) break;
      this.#waiting.delete(cell);
      if (cell.gone || !cell.run.unsettled || !isClean(cell) || this.#host.draining) continue;
      if (isTerminalPhase(cell.run.state.phase)) continue;
      this.#host.post(cell, { type: "continue", at: this.#host.now() });
    }
    if (this.#waiting.size > 0) this.#arm();
  }
}
