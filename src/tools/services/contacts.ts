/** When services were last called, and whether they answered. */
import type { Clock } from "../../base/time/clock.ts";
import type { NamedService } from "./directory.ts";

/** The newest contact with a service. */
export interface Contact {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whether anything came back, whatever its status. */
  readonly answered: boolean;
}

/** What a contact is with: another URL is another service, whatever its name. */
type Called = Pick<NamedService, "name" | "baseUrl">;

/** Contacts of this process. */
export interface Contacts {
  note(service: Called, answered: boolean): void;
  /** Null: there was none. */
  of(service: Called): Contact | null;
}

/** Most services that are remembered; the ones that were called longest ago are forgotten first. */
const MAX_SERVICES = 10_000;

/** Creates them. */
export function createContacts(clock: Clock): Contacts {
  const contacts = new Map<string, Contact>();
  return {
    note(service, answered) {
      const key = keyOf(service);
      contacts.delete(key);
      contacts.set(key, { at: clock.now(), answered });
      if (contacts.size > MAX_SERVICES) contacts.delete(contacts.keys().next().value ?? "");
    },
    of: (service) => contacts.get(keyOf(service)) ?? null,
  };
}

function keyOf({ name, baseUrl }: Called): string {
  return `${name} ${baseUrl.href}`;
}
