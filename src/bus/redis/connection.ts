/**
 * A connection to a Redis server that may be away, frozen, full, or read-only at any time.
 *
 *   away ──connected, and nothing was refused──→ answers
 *   answers ──broken, silent for 2 s, or a write is refused──→ away
 *
 * The client reconnects on its own, forever. Each change is one line in the log. After a refused write, only one
 * that succeeds proves that the server is well again.
 */
import type { ChainableCommander } from "ioredis";
import type { Log } from "../../base/log.ts";
import { type ConnectionState, ConnectionWatch, noteSilence } from "../../base/net/connection-state.ts";
import { createRedisClient, type RedisAddress, reasonOf, watchClosing } from "./client.ts";

/** After this silence the server counts as away, milliseconds. */
const SILENCE_MS = 2_000;

/** One answer of a pipeline: what is wrong, or null. */
export type Outcome = Error | null;

export interface RedisConnection {
  readonly state: ConnectionState;
  /** Whether commands can be sent. */
  readonly isReady: boolean;
  /** Calls `listener` whenever commands can be sent again. */
  onReady(listener: () => void): void;
  /**
   * Sends commands in one go. Resolves with one outcome each, when the server has answered or the connection broke,
   * after half a minute at the latest. Never rejects. Only one call at a time.
   */
  send(count: number, fill: (pipeline: ChainableCommander) => void): Promise<readonly Outcome[]>;
  /**
   * The same for messages, at any time. Says nothing about the state of the connection: messages are taken where writes
   * are refused.
   */
  publish(count: number, fill: (pipeline: ChainableCommander) => void): Promise<readonly Outcome[]>;
  /** Ends the connection. */
  close(): void;
}

/** Begins to connect. */
export function openRedisConnection(address: RedisAddress, log: Log): RedisConnection {
  const client = createRedisClient(address);
  const watch = new ConnectionWatch(({ connected, problem }) => {
    if (connected) log.info("Redis answers");
    else log.warn("Redis does not answer or refuses writes; everything but what it shows goes on", { reason: problem });
  });
  let isRefusing = false;
  let isClosed = false;
  watchClosing(client, watch, () => isClosed);
  client.on("ready", () => {
    if (!isRefusing) watch.up();
  });
  // What fails here is reported by the events.
  client.connect().catch(() => {});
  const run = async (count: number, fill: (pipeline: ChainableCommander) => void): Promise<readonly Outcome[]> => {
    try {
      const pipeline = client.pipeline();
      fill(pipeline);
      const silent = (problem: string): void => watch.down(problem);
      const answers = (await noteSilence(SILENCE_MS, () => pipeline.exec(), silent)) ?? [];
      return Array.from({ length: count }, (_, index) => {
        const answer = answers[index];
        return answer === undefined ? new Error("no answer") : answer[0];
      });
    } catch (error) {
      return Array.from({ length: count }, () => (error instanceof Error ? error : new Error(String(error))));
    }
  };

  return {
    get state() {
      return watch.state;
    },
    get isReady() {
      return client.status === "ready";
    },
    onReady: (listener) => void client.on("ready", listener),
    async send(count, fill) {
      const outcomes = await run(count, fill);
      // Broken connections show as events; here is what the server itself refuses.
      const refusal = outcomes.find((outcome) => outcome?.name === "ReplyError");
      isRefusing = refusal !== undefined;
      if (refusal !== undefined) watch.down(reasonOf(refusal));
      else if (outcomes.every((outcome) => outcome === null)) watch.up();
      return outcomes;
    },
    publish: run,
    close() {
      isClosed = true;
      client.disconnect();
    },
  };
}
