/** Connections to Redis that are made anew until they are closed. */
import { Redis, type RedisOptions } from "ioredis";

/** After this silence a connection is given up, milliseconds. Longer than any blocking read. */
const SILENCE_MS = 15_000;

/**
 * Reads where Redis is: REDIS_URL, or REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, and REDIS_DATABASE. Commands wait while
 * Redis is away, and those whose outcome is unknown are sent again; without `resends` they fail at once.
 */
export function connectRedis(env: NodeJS.ProcessEnv, name: string, { resends = true } = {}): Redis {
  const all = {
    connectionName: `agent-${name}`.replaceAll(/[^\w.:-]/g, "-"),
    disableClientInfo: true,
    // Without this, a command that is not sent again would never end.
    maxRetriesPerRequest: resends ? null : 0,
    autoResendUnfulfilledCommands: resends,
    socketTimeout: SILENCE_MS,
    retryStrategy: (times: number) => Math.min(100 * 2 ** Math.min(times - 1, 10), 2_000),
    // Its name may lead to another server by now.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  } satisfies RedisOptions;
  const url = env["REDIS_URL"];
  if (url) return new Redis(url, all);
  const password = env["REDIS_PASSWORD"];
  return new Redis({
    ...all,
    host: env["REDIS_HOST"] || "localhost",
    port: Number(env["REDIS_PORT"] || 6379),
    db: Number(env["REDIS_DATABASE"] || 0),
    ...(password ? { password } : {}),
  });
}

/** A channel by its name: `stream:NAME` is the stream NAME, everything else a pub/sub channel. */
export interface Channel {
  readonly kind: "pubsub" | "stream";
  readonly key: string;
}

export function toChannel(name: string): Channel {
  return name.startsWith("stream:")
    ? { kind: "stream", key: name.slice("stream:".length) }
    : { kind: "pubsub", key: name };
}
