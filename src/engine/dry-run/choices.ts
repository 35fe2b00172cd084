/**
 * All ways through something that has to choose: it is played again and again, each time with the choices of one way.
 *
 *   the first way takes the first alternative everywhere; then the last choice that has another one takes that, …
 */

import type { Choice } from "../ports/dry-run/dry-runs.ts";

/** The choices of one way. */
export class Choices {
  readonly #script: readonly number[];
  readonly #made: { readonly choice: Choice; readonly index: number; readonly count: number }[] = [];

  constructor(script: readonly number[] = []) {
    this.#script = script;
  }

  /** Takes one of the alternatives, which are never none. */
  take<T>(about: string, alternatives: readonly (readonly [name: string, value: T])[]): T {
    const index = this.#script[this.#made.length] ?? 0;
    const [taken, value] = alternatives[index] as readonly [string, T];
    if (alternatives.length > 1) this.#made.push({ choice: { about, taken }, index, count: alternatives.length });
    return value;
  }

  get made(): readonly Choice[] {
    return this.#made.map(({ choice }) => choice);
  }

  /** The script of the next way; null: there is none. */
  next(): readonly number[] | null {
    const last = this.#made.findLastIndex(({ index, count }) => index + 1 < count);
    if (last < 0) return null;
    return this.#made.slice(0, last + 1).map(({ index }, at) => (at === last ? index + 1 : index));
  }
}
