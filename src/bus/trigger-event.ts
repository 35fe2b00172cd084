/** Events for triggers, as readers of topics and of Streams apply them. */
import type { Json } from "../base/json/json.ts";
import type { AppliedEvent, KnownTrigger, TriggerEvents } from "../engine/ports/bus/triggers.ts";
import { problemOf } from "./apply-message.ts";
import { MessageRefused } from "./message-fields.ts";

/** What expressions of triggers read. */
export type TriggerEvent = Parameters<TriggerEvents["apply"]>[1];

/** The type of an event: what a header says, else the field `type` of the body, else empty. */
export function typeOf(header: string | undefined, body: Json): string {
  if (header !== undefined) return header;
  const inBody = typeof body === "object" && body !== null && "type" in body ? body["type"] : undefined;
  return typeof inBody === "string" ? inBody : "";
}

/**
 * Applies an event to a trigger as it is now: it may have been paused, changed, or deleted since the last try. One that
 * does not listen any more gets nothing. Throws `MessageRefused` for an event that the trigger can never take, and
 * whatever else keeps it from being applied. `ownerDied` is as in `BusCommands.start`.
 */
export async function applyToTrigger(
  events: Pick<TriggerEvents, "find" | "apply" | "count">,
  { tenantId, triggerId }: KnownTrigger,
  listens: (trigger: KnownTrigger) => boolean,
  event: TriggerEvent,
  ownerDied: () => void,
): Promise<void> {
  const trigger = events.find(tenantId, triggerId);
  if (trigger === undefined || !listens(trigger)) return;
  let applied: AppliedEvent;
  try {
    applied = await events.apply(trigger, event, ownerDied);
  } catch (error) {
    const problem = problemOf(error);
    if (problem !== null) events.count(trigger, "failed", event.id, `${problem.reason}: ${problem.message}`);
    throw error;
  }
  if (applied.outcome === "failed")
    throw new MessageRefused("TRIGGER_FAILED", `trigger ${triggerId}: ${applied.problem}`);
}
