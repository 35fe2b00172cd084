/** What the errors of Kafka mean. */
import { MultipleErrors, ProtocolError } from "@platformatic/kafka";

/** Errors of the broker about messages: one of those that were sent together is never taken. */
const REFUSED = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD"];

/** Errors of the broker about a topic: it takes nothing for it, whatever comes. */
const TOPIC_REFUSED = ["INVALID_TOPIC_EXCEPTION", "TOPIC_AUTHORIZATION_FAILED"];

/** Errors about an offset that the log no longer, or not yet, has. */
const OUT_OF_RANGE = "OFFSET_OUT_OF_RANGE";

/** Returns true when the broker refuses a message for what it is. */
export function isRefused(error: unknown): boolean {
  return REFUSED.some((id) => hasApiId(error, id));
}

/** Returns true when the broker takes nothing for the topic. */
export function isTopicRefused(error: unknown): boolean {
  return TOPIC_REFUSED.some((id) => hasApiId(error, id));
}

/** Returns true when a partition does not have the offset that was asked for. */
export function isOutOfRange(error: unknown): boolean {
  return hasApiId(error, OUT_OF_RANGE);
}

function hasApiId(error: unknown, id: string): boolean {
  if (error instanceof ProtocolError && error.apiId === id) return true;
  if (error instanceof MultipleErrors && error.errors.some((one: unknown) => hasApiId(one, id))) return true;
  return error instanceof Error && error.cause !== undefined && hasApiId(error.cause, id);
}

/** The innermost sentence of an error, for people. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [first] = error instanceof MultipleErrors ? (error.errors as unknown[]) : [];
  if (first !== undefined) return reasonOf(first);
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
