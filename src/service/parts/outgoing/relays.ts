/** What the relays of a service share: somebody may want all of them to look, and what they reject is counted. */
import type { DestinationName, ListHeldEvents, RejectedOutgoing } from "../../../engine/ports/bus/outbox.ts";
import type { Parts } from "../parts.ts";

export interface Relays {
  /** Events that no relay sends for now. */
  readonly listHeld: ListHeldEvents;
  /** A relay has started; `look` has it look for messages. */
  add(look: () => void): void;
  /** Has all of them look. */
  look(): void;
  /** Messages have arrived; when each was written, milliseconds since the epoch. */
  delivered(destination: DestinationName, writtenAt: readonly number[]): void;
  /** A relay has rejected messages, durably. */
  rejected(destination: DestinationName, messages: readonly RejectedOutgoing[]): void;
  /** Messages were deleted because too many waited. */
  dropped(destination: DestinationName, count: number): void;
}

/** `now`: milliseconds since the epoch, by the clock that stamps messages. */
export function createRelays({ metrics }: Parts, listHeld: ListHeldEvents, now: () => number): Relays {
  const looks: (() => void)[] = [];
  const look = (): void => {
    for (const one of looks) one();
  };
  return {
    listHeld,
    add: (one) => void looks.push(one),
    look,
    delivered(destination, writtenAt) {
      const delay = metrics.histogram("orchestrator_outbox_delivery_seconds", destination);
      const at = now();
      for (const from of writtenAt) delay.observe(Math.max(0, at - from) / 1_000);
    },
    dropped: (destination, count) => metrics.counter("orchestrator_outbox_dropped_total", destination).add(count),
    rejected(destination, messages) {
      for (const { code = "REFUSED" } of messages)
        metrics.counter("orchestrator_outbox_rejected_total", destination, code).add();
      // A dead letter may have been written.
      look();
    },
  };
}
