/** Chooses who takes a task: the carrier of its address says it. */

import { carrierOf } from "../../../tasks/addresses.ts";
import type { Carrier } from "../../../tasks/define.ts";
import type { HandOverRef, LabeledLine, ReadyTask, Slot, Takers } from "../../ports/dispatch/hand-overs.ts";

/** Those that take tasks, by carrier. */
export type TakersByCarrier = Readonly<Record<Carrier, Takers>>;

const NONE: ReadonlySet<Carrier> = new Set();

/** All that take tasks. */
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

  /** Carriers that take nothing for now. */
  get closed(): ReadonlySet<Carrier> {
    if (this.#all.every(([, takers]) => takers.isOpen)) return NONE;
    return new Set(this.#all.flatMap(([carrier, { isOpen }]) => (isOpen ? [] : [carrier as Carrier])));
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

  /** The slot of a task that was handed out by somebody else; null: the one who has it makes itself known. */
  slotOf(to: string, ref: HandOverRef): Slot | null {
    return this.#byCarrier[carrierOf(to)].slotOf?.(to, ref) ?? null;
  }

  #of({ queue }: LabeledLine): Takers {
    return this.#byCarrier[carrierOf(queue)];
  }
}
