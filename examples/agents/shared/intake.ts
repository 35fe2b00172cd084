/** Where requests come from and answers go to. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Log } from "./desk.ts";
import type { Channel } from "./redis.ts";

/** Where requests come from. */
export interface Intake {
  /** Takes no more requests. */
  stop(): Promise<void>;
  /** Ends what keeps requests alive. Called when all are answered. */
  close?(): void;
}

/** An entry of a stream that an answer acknowledges. */
export interface Acknowledged {
  readonly key: string;
  readonly group: string;
  readonly id: string;
}

/** Where answers go to. */
export interface Answers {
  /** Sends an answer, if there is one, and acknowledges the entry, if there is one. */
  send(answer: string | null, entry?: Acknowledged): Promise<void>;
}

/** Answers older than this are useless, milliseconds: they are trimmed from the stream. */
const KEPT_MS = 86_400_000;
/** How long an answer is published again while nobody listens, milliseconds. */
const UNHEARD_MS = 60_000;
/** Pause before an answer is sent again, milliseconds. */
const RETRY_MS = 500;

/** Opens the way of answers. What Redis refuses is tried again, so a slot stays taken until its answer is there. */
export function openAnswers(client: Redis, to: Channel, log: Log): Answers {
  const send = async (answer: string | null, entry?: Acknowledged): Promise<void> => {
    if (answer !== null && to.kind === "pubsub") await publish(client, to.key, answer);
    const transaction = client.multi();
    if (answer !== null && to.kind === "stream")
      transaction.xadd(to.key, "MINID", "~", Date.now() - KEPT_MS, "*", "message", answer);
    if (entry !== undefined) transaction.xack(entry.key, entry.group, entry.id).xdel(entry.key, entry.id);
    // The group of an entry may be gone with what it held.
    for (const [error] of (await transaction.exec()) ?? [])
      if (error !== null && !error.message.startsWith("NOGROUP")) throw error;
  };
  return {
    async send(answer, entry) {
      if (answer === null && entry === undefined) return;
      for (let failures = 0; ; failures++) {
        try {
          return await send(answer, entry);
        } catch (error) {
          if (failures % 60 === 0) log("warn", "Redis takes no answers", { reason: String(error), failures });
          await sleep(RETRY_MS);
        }
      }
    },
  };
}

async function publish(client: Redis, channel: string, answer: string): Promise<void> {
  const deadline = Date.now() + UNHEARD_MS;
  while ((await client.publish(channel, answer)) === 0 && Date.now() < deadline) await sleep(RETRY_MS);
}
