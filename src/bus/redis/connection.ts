/**
 * A connection to a Redis server that may be away, frozen, full, or read-only at any time.
 *
 *   away ──connected, and nothing was refused──→ answers
 *   answers ──broken, silent for 2 s, or a write is refused──→ away
 *
 * The client connects again on its own, for ever. Each change is one line in the log. After a refused write, only one
 * that succeeds proves that the server is well again.
 */
import { type ChainableCommander, Redis, type RedisOptions } from "ioredis";
import type { Log } from "../../base/log.ts";
import { type ConnectionState, ConnectionWatch } from "../../base/net/connection-state.ts";

/** Time to connect, milliseconds. */
const CONNECT_MS = 5_000;
/** After this silence the server counts as away, milliseconds. */
const SILENCE_MS = 2_000;
/** After this silence the connection is given up, milliseconds. */
const GIVE_UP_MS = 30_000;
/** Pauses between attempts to connect, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** Where Redis is: a URL, or a host with what belongs to it. */
export type RedisAddress =
  | { readonly url: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly password: string | undefined;
      readonly database: number;
    };

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
  /** Ends the connection. */
  close(): void;
}

/** Begins to connect. */
export function openRedisConnection(address: RedisAddress, log: Log): RedisConnection {
  const options = {
    lazyConnect: true,
    connectionName: "orchestrator",
    // Understood by every version, and by what speaks the protocol of Redis.
    protocol: 2 as const,
    disableClientInfo: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS,
    socketTimeout: GIVE_UP_MS,
    retryStrategy: (times: number) => Math.min(FIRST_PAUSE_MS * 2 ** Math.min(times - 1, 10), LONGEST_PAUSE_MS),
    // The name may lead to another server by now.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  } satisfies RedisOptions;
  const client =
    "url" in address
      ? new Redis(address.url, options)
      : new Redis({
          ...options,
          host: address.host,
          port: address.port,
          db: address.database,
          ...(address.password === undefined ? {} : { password: address.password }),
        });
  const watch = new ConnectionWatch(({ connected, problem }) => {
    if (connected) log.info("Redis answers");
    else log.warn("Redis does not answer or refuses writes; everything but what it shows goes on", { reason: problem });
  });
  let problem = "the connection was closed";
  let isRefusing = false;
  let isClosed = false;
  client.on("error", (error: unknown) => {
    problem = reasonOf(error);
  });
  client.on("close", () => {
    if (!isClosed) watch.down(problem);
    problem = "the connection was closed";
  });
  client.on("ready", () => {
    if (!isRefusing) watch.up();
  });
  // What fails here is reported by the events.
  client.connect().catch(() => {});
  return {
    get state() {
      return watch.state;
    },
    get isReady() {
      return client.status === "ready";
    },
    onReady: (listener) => void client.on("ready", listener),
    async send(count, fill) {
      const silence = setTimeout(() => watch.down(`no answer for ${SILENCE_MS} ms`), SILENCE_MS);
      try {
        const pipeline = client.pipeline();
        fill(pipeline);
        const answers = (await pipeline.exec()) ?? [];
        const outcomes = Array.from({ length: count }, (_, index) => {
          const answer = answers[index];
          return answer === undefined ? new Error("no answer") : answer[0];
        });
        // Broken connections show as events; here is what the server itself refuses.
        const refusal = outcomes.find((outcome) => outcome?.name === "ReplyError");
        isRefusing = refusal !== undefined;
        if (refusal !== undefined) watch.down(reasonOf(refusal));
        else if (outcomes.every((outcome) => outcome === null)) watch.up();
        return outcomes;
      } catch (error) {
        return Array.from({ length: count }, () => (error instanceof Error ? error : new Error(String(error))));
      } finally {
        clearTimeout(silence);
      }
    },
    close() {
      isClosed = true;
      client.disconnect();
    },
  };
}

/** What is wrong, in words for the log. Some errors of sockets have a code and no message. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}
