/**
 * Tasks that are handed to a broker, on a topic. Nobody acknowledges such a hand-over and nobody loses it: it ends with
 * an answer, or when its time is over.
 */
import type { TaskState } from "../state.ts";

/** Marks a topic among those who take tasks; the names of sessions do not begin with it. */
const PREFIX = "@topic:";

/** How long a message may wait in its topic, milliseconds, unless the task has a schedule-to-start timeout. */
export const TOPIC_WAIT_MS = 3_600_000;

/** Who has a task that was put on a topic, as the journal names it. */
export function toBroker(topic: string): string {
  return PREFIX + topic;
}

/** Returns true for what {@link toBroker} returned. */
export function isBroker(handedTo: string | null | undefined): handedTo is string {
  return handedTo?.startsWith(PREFIX) === true;
}

/** The topic behind {@link toBroker}. */
export function topicOf(handedTo: string): string {
  return handedTo.slice(PREFIX.length);
}

/** Returns true when the task is on a topic, or an executor has it. */
export function isAtBroker(task: Pick<TaskState, "handedTo">): boolean {
  return isBroker(task.handedTo);
}
