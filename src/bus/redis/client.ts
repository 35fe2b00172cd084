/** Clients of a Redis server: one connection each, made anew forever. */
import { Redis, type RedisOptions } from "ioredis";
import type { ConnectionWatch } from "../../base/net/connection-state.ts";
import { parseSentinelUrl, type SentinelAddress } from "../../base/net/redis-url.ts";

/** Time to connect, milliseconds. */
const CONNECT_MS = 5_000;
/** After this silence the connection is given up, milliseconds. */
export const GIVE_UP_MS = 30_000;
/** Pauses between attempts to connect, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** Where Redis is: a URL, see `base/net/redis-url.ts`, or a host with what belongs to it. */
export type RedisAddress =
  | { readonly url: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly password: string | undefined;
      readonly database: number;
    };

/**
 * Gives up a connection once, however many commands ask for it. The library adds a listener to the socket each time,
 * and asks for each command that a read-only server refuses.
 */
class Client extends Redis {
  #givenUp: Redis["stream"] | null = null;

  override disconnect(reconnect = false): void {
    if (reconnect && this.stream !== undefined && this.stream === this.#givenUp) return;
    this.#givenUp = this.stream ?? null;
    super.disconnect(reconnect);
  }
}

/** A client that is not connected yet. Commands fail at once while it is not. */
export function createRedisClient(address: RedisAddress): Redis {
  const options = {
    lazyConnect: true,
    connectionName: "orchestrator",
    // Understood by every version, and by what speaks the protocol of Redis.
    protocol: 2 as const,
    disableClientInfo: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS,
    socketTimeout: GIVE_UP_MS,
    retryStrategy: (times: number) => Math.min(FIRST_PAUSE_MS * 2 ** Math.min(times - 1, 10), LONGEST_PAUSE_MS),
    // The name may lead to another server by now.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  } satisfies RedisOptions;
  if ("url" in address) {
    const sentinel = parseSentinelUrl(address.url);
    return sentinel === null ? new Client(address.url, options) : new Client({ ...options, ...toOptions(sentinel) });
  }
  const { host, port, database: db, password } = address;
  return new Client({ ...options, host, port, db, ...(password === undefined ? {} : { password }) });
}

/** Sentinels are asked for the primary at each attempt to connect, forever. */
function toOptions({ sentinels, service, username, password, sentinelPassword, database, tls }: SentinelAddress) {
  return {
    sentinels: [...sentinels],
    name: service,
    db: database,
    sentinelRetryStrategy: () => LONGEST_PAUSE_MS,
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    ...(sentinelPassword === "" ? {} : { sentinelPassword }),
    ...(tls ? { tls: {}, enableTLSForSentinelMode: true } : {}),
  } satisfies RedisOptions;
}

/** Tells `watch` that the connection is gone, and why, unless the client was closed on purpose. */
export function watchClosing(client: Redis, watch: ConnectionWatch, isClosed: () => boolean): void {
  const closed = "the connection was closed";
  let problem = closed;
  client.on("error", (error: unknown) => {
    problem = reasonOf(error);
  });
  client.on("close", () => {
    if (!isClosed()) watch.down(problem);
    problem = closed;
  });
}

/** What is wrong, in words for the log. Some errors of sockets have a code and no message. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  if (/^(MOVED|CROSSSLOT|ASK) /.test(error.message))
    return `${error.message}: the server belongs to a Redis Cluster, which is not supported`;
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}
