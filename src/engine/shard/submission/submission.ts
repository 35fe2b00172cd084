/** The entry point for events. Suspects take their events one at a time. */
import type { EntityTypes } from "../kind.ts";
import type { EventOf, Reply, Resident } from "../resident.ts";
import type { Decider } from "./decider.ts";
import type { Probation } from "./probation.ts";

export class Submission {
  readonly #decider: Decider;
  readonly #probation: Probation;

  constructor(decider: Decider, probation: Probation) {
    this.#decider = decider;
    this.#probation = probation;
  }

  /** Submits an event to an entity. Resolves when the result is durable, with whether the event changed anything. */
  submit<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>): Promise<boolean> {
    let hasChanged = false;
    const decided = (changed: boolean): void => {
      hasChanged = changed;
    };
    return new Promise((resolve, reject) =>
      this.post(resident, event, { decided, resolve: () => resolve(hasChanged), reject }),
    );
  }

  /** The same for a sender that does not wait, or brings its own reply. */
  post<T extends EntityTypes>(resident: Resident<T>, event: EventOf<T>, reply: Reply | null = null): void {
    if (resident.suspect && !resident.gone) this.#probation.tryEvent(resident, event, reply);
    else this.#decider.decide(resident, event, reply);
  }
}
