/** Gives each task to the takers of the carrier in its address. */

import { carrierOf } from "../../../tasks/addresses.ts";
import type { Carrier } from "../../../tasks/define.ts";
import type { HandOverRef, LabeledLine, ReadyTask, Slot, Takers } from "../../ports/dispatch/hand-overs.ts";

/** The takers of each carrier. */
export type TakersByCarrier = Readonly<Record<Carrier, Takers>>;

/** All takers. */
export class Carriers {
  readonly #byCarrier: TakersByCarrier;
  readonly #all: readonly (readonly [string, Takers])[];

  constructor(byCarrier: TakersByCarrier) {
    this.#byCarrier = byCarrier;
    this.#all = Object.entries(byCarrier);
  }

  get isOpen(): boolean {
    return this.#all.some(([, takers]) => takers.isOpen);
  }

  /** Tells whether a carrier takes nothing for a place for now; null: all take everything. */
  get closed(): ((carrier: Carrier, place: string) => boolean) | null {
    if (this.#all.every(([, takers]) => takers.isOpen)) return null;
    return (carrier, place) => {
      const takers = this.#byCarrier[carrier];
      return !(takers.isOpenFor?.(place) ?? takers.isOpen);
    };
  }

  reserve(task: ReadyTask): Slot | null {
    return this.#of(task).reserve(task);
  }

  waits(task: ReadyTask): void {
    this.#of(task).waits(task);
  }

  look(): void {
    for (const [, takers] of this.#all) takers.look();
  }

  isServed(line: LabeledLine): boolean {
    return this.#of(line).isServed(line);
  }

  /** The slot of a task that an earlier owner of the run handed out; null: unknown until its holder reports. */
  slotOf(to: string, ref: HandOverRef): Slot | null {
    return this.#byCarrier[carrierOf(to)].slotOf?.(to, ref) ?? null;
  }

  #of({ queue }: LabeledLine): Takers {
    return this.#byCarrier[carrierOf(queue)];
  }
}
