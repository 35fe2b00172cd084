/**
 * Adds events of flows to Redis Streams. A Stream keeps about as many entries as it may. What the server refuses for
 * good (the key is no Stream, the user may not write to it) is rejected; everything else is sent again.
 */
import { toTraceFields } from "../../base/traces/trace-context.ts";
import type {
  Outgoing,
  OutgoingEvent,
  OutgoingId,
  RejectedOutgoing,
  StoredOutgoing,
} from "../../engine/ports/bus/outbox.ts";
import type { Destination } from "../outbox-relay.ts";
import { reasonOf } from "./client.ts";
import type { RedisConnection } from "./connection.ts";

export interface StreamEventsOptions {
  readonly connection: Pick<RedisConnection, "isReady" | "publish">;
  /** Put before the names of Streams. */
  readonly prefix: string;
  /** About how many entries a Stream keeps. */
  readonly maxLength: number;
  /** Aborts at a stop: what Redis has not taken by then is sent by the next owner, perhaps again. */
  readonly stopping: AbortSignal;
}

/** Errors of the server that sending again does not change. */
const REFUSALS = /^(WRONGTYPE|NOPERM)\b/;

/** Creates the destination of a relay. */
export function createStreamEvents({ connection, prefix, maxLength, stopping }: StreamEventsOptions): Destination {
  const stopped = new Promise<null>((resolve) => {
    stopping.addEventListener("abort", () => resolve(null), { once: true });
  });

  const add = async (messages: readonly StoredOutgoing[]): Promise<readonly (Error | null)[]> => {
    const allFail = (reason: string) => messages.map(() => new Error(reason));
    if (!connection.isReady) return allFail("Redis does not answer");
    const added = connection.publish(messages.length, (pipeline) => {
      for (const { message } of messages)
        pipeline.xadd(prefix + message.topic, "MAXLEN", "~", maxLength, "*", ...toFields(message));
    });
    // A server that stands still holds up no stop.
    return (await Promise.race([added, stopped])) ?? allFail("the service stops");
  };

  return {
    encode: (messages) => ({
      async send() {
        const sent: OutgoingId[] = [];
        const rejected: RejectedOutgoing[] = [];
        const failed = new Map<string, string>();
        const outcomes = await add(messages);
        for (const [index, { id, message }] of messages.entries()) {
          const problem = outcomes[index] ?? null;
          if (problem === null) sent.push(id);
          else if (REFUSALS.test(problem.message)) rejected.push({ id, reason: problem.message });
          else failed.set(message.topic, reasonOf(problem));
        }
        return { sent, rejected, failed };
      },
    }),
  };
}

function toFields(message: Outgoing): readonly string[] {
  const { runId, taskPath, sequence, kind } = message;
  const event: OutgoingEvent = kind === "event" ? message.content : { payload: null, headers: {} };
  const fields = {
    id: event.idempotencyKey ?? `${runId}/${taskPath}/${sequence}`,
    run_id: runId,
    flow_id: event.flowId ?? "",
    task_id: taskPath,
    type: kind,
    payload: JSON.stringify(event.payload),
    headers: JSON.stringify(event.headers),
    sequence: String(sequence),
    ...toTraceFields(event.trace),
  };
  return Object.entries(fields).flat();
}
