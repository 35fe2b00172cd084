/**
 * Where tasks leave to. An address names a place on a carrier, in waiting rows and in the journal: `@topic:NAME`, or
 * the bare name of a queue. No queue and no session of a worker has a name that begins with `@`.
 *
 *   workers   somebody acknowledges what is handed out, and may be lost with it
 *   topics    nobody acknowledges and nobody is lost: the hand-over ends with an answer, or when its time is over
 *   webhooks, streams   events only, which are done when they have left
 *   agents    it is acknowledged once the message has arrived; from then on nobody is lost with it
 */
import type { Carrier } from "./define.ts";

/** Marks of the addresses of each carrier but `workers`. Those in stored journals must stay. */
const MARKS = {
  topics: "@topic:",
  agents: "@agent:",
  webhooks: "@webhook:",
  streams: "@stream:",
} as const satisfies Record<Exclude<Carrier, "workers">, string>;

const MARKED = Object.entries(MARKS) as readonly (readonly [keyof typeof MARKS, string])[];

/** How long a message may wait in its topic, milliseconds, unless the task has a schedule-to-start timeout. */
export const TOPIC_WAIT_MS = 3_600_000;

/** The address of a place on a carrier. */
export function addressOf(carrier: Carrier, name: string): string {
  return carrier === "workers" ? name : MARKS[carrier] + name;
}

/** The carrier of an address. */
export function carrierOf(address: string): Carrier {
  return MARKED.find(([, mark]) => address.startsWith(mark))?.[0] ?? "workers";
}

/** The name of a place, without its carrier. */
export function nameOf(address: string): string {
  const carrier = carrierOf(address);
  return carrier === "workers" ? address : address.slice(MARKS[carrier].length);
}

/** What all addresses of a carrier begin with. */
export function markOf(carrier: Exclude<Carrier, "workers">): string {
  return MARKS[carrier];
}

/** Marks the address of agents that read a Stream: what arrives there may wait. */
const STREAM_MARK = `${MARKS.agents}stream:`;

/** The address of agents of a kind, as the journal names those that have a task. */
export function toAgents(kind: string, overStream: boolean): string {
  return (overStream ? STREAM_MARK : MARKS.agents) + kind;
}

/** True when an agent has the task. */
export function isAtAgents(handedTo: string | null | undefined): boolean {
  return typeof handedTo === "string" && handedTo.startsWith(MARKS.agents);
}

/** How long work may wait once it is acknowledged, milliseconds, given the schedule-to-start timeout of its task. */
export function waitMsOf(handedTo: string | null, scheduleToStartMs: number | null): number {
  const mayWait = handedTo !== null && (isSilent(handedTo) || handedTo.startsWith(STREAM_MARK));
  return mayWait ? (scheduleToStartMs ?? TOPIC_WAIT_MS) : 0;
}

/** True when nothing is heard of a task that somebody has until it ends. */
export function isSilent(handedTo: string | null | undefined): boolean {
  return typeof handedTo === "string" && carrierOf(handedTo) === "topics";
}
