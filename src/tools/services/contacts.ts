/** When services were last called, and whether they answered. */
import type { Clock } from "../../base/time/clock.ts";

/** The newest contact with a service. */
export interface Contact {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whether anything came back, whatever its status. */
  readonly answered: boolean;
}

/** Contacts of this process, by name of the service. */
export interface Contacts {
  note(service: string, answered: boolean): void;
  /** Null: there was none. */
  of(service: string): Contact | null;
}

/** Most services that are remembered; the ones that were called longest ago are forgotten first. */
const MAX_SERVICES = 10_000;

/** Creates them. */
export function createContacts(clock: Clock): Contacts {
  const contacts = new Map<string, Contact>();
  return {
    note(service, answered) {
      contacts.delete(service);
      contacts.set(service, { at: clock.now(), answered });
      if (contacts.size > MAX_SERVICES) contacts.delete(contacts.keys().next().value ?? "");
    },
    of: (service) => contacts.get(service) ?? null,
  };
}
