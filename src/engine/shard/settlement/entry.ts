import type { Transition } from "../../ports/journal.ts";
import type { EntityEvent, RuntimeEvent } from "../kind.ts";
import type { Reply, Resident } from "../resident.ts";

/** A transition on its way to the journal, with everything needed if it is lost. */
export interface Entry {
  readonly resident: Resident;
  readonly transition: Transition;
  /** It is the first of its entity. */
  readonly isStart: boolean;
  readonly events: readonly (EntityEvent | RuntimeEvent)[];
  readonly replies: Reply[];
  /** Known when the transition is durable: the entity ended with it. */
  isLast: boolean;
}
