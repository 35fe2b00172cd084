/**
 * Requests from a pub/sub channel. Every agent on the channel gets every message; a key in Redis decides whose it is.
 * What is published while nobody listens is lost, and so is what an agent does when it dies: the flow's timeout and
 * retry policy are the cure.
 */
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import type { Desk, Log } from "./desk.ts";
import type { Answers, Intake } from "./intake.ts";

/** How long a claim of work without a timeout lasts, seconds. */
const CLAIM_SECONDS = 3_600;
const PING_MS = 5_000;

export interface PubSubOptions {
  readonly subscriber: Redis;
  readonly client: Redis;
  readonly channel: string;
  readonly name: string;
  readonly desk: Desk;
  readonly answers: Answers;
  readonly log: Log;
}

export async function openPubSub(options: PubSubOptions): Promise<Intake> {
  const { subscriber, client, channel, name, desk, answers, log } = options;
  const claim = async (correlationId: string, timeoutSeconds: number | null): Promise<boolean> => {
    const digest = createHash("sha256").update(correlationId).digest("base64url");
    const key = `agents:claim:${channel}:${digest}`;
    const seconds = Math.ceil(timeoutSeconds ?? CLAIM_SECONDS) + 60;
    try {
      if ((await client.set(key, name, "EX", seconds, "NX")) === "OK") return true;
      // An agent that is started again under its name has lost what it claimed.
      return (await client.get(key)) === name;
    } catch (error) {
      log("warn", "work is done without a claim", { reason: String(error) });
      return true;
    }
  };
  subscriber.on("message", (from: string, text: string) => {
    if (from === channel) desk.accept({ text, deliveries: 1, settle: (answer) => answers.send(answer), claim });
  });
  await subscriber.subscribe(channel);
  // A frozen server is noticed only by asking it something.
  // A broken connection shows as an event.
  const pings = setInterval(() => void subscriber.ping().catch(() => {}), PING_MS);
  return {
    async stop() {
      clearInterval(pings);
      await subscriber.unsubscribe(channel);
    },
  };
}
