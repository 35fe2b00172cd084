/** Publishes requests for agents, on a connection of its own: nothing that is written for readers delays them. */
import type { Log } from "../../../base/log.ts";
import { type ConnectionState, ConnectionWatch, noteSilence } from "../../../base/net/connection-state.ts";
import type { AgentPost, AgentRequest, Arrival } from "../../../engine/ports/dispatch/agents.ts";
import { createRedisClient, type RedisAddress, reasonOf, watchClosing } from "../client.ts";
import { MESSAGE_FIELD, STREAM_PREFIX } from "../messages.ts";
import { writeCancel, writeRequest } from "./messages.ts";

/** How long an answer of the server is waited for, milliseconds. Workers must acknowledge a little later. */
const PATIENCE_MS = 4_000;
/** How often to check for the first answer, milliseconds. */
const LOOK_EVERY_MS = 10_000;

/** Where the requests of a kind go, and what asks its agents to stop; null: nothing does. */
export interface AgentChannels {
  readonly requests: string;
  readonly control: string | null;
}

/** Counts requests. */
export interface AgentPostMetrics {
  requested(kind: string, arrival: Arrival): void;
}

export interface AgentPostParts {
  readonly address: RedisAddress;
  readonly channels: ReadonlyMap<string, AgentChannels>;
  readonly metrics: AgentPostMetrics;
  readonly log: Log;
}

/** An open way to agents. */
export interface RedisAgentPost extends AgentPost {
  /** Calls `listener` once: when a request was published here, or one of these Streams exists. */
  whenUsed(streams: readonly string[], listener: () => void): void;
  readonly connection: ConnectionState;
  close(): void;
}

/** Begins to connect. */
export function openAgentPost({ address, channels, metrics, log }: AgentPostParts): RedisAgentPost {
  const client = createRedisClient(address);
  const watch = new ConnectionWatch(({ connected, problem }) => {
    if (connected) log.info("Redis takes requests for agents");
    else log.warn("Redis takes no requests for agents: their tasks wait", { reason: problem });
  });
  let isClosed = false;
  watchClosing(client, watch, () => isClosed);
  const listeners: (() => void)[] = [];
  client.on("ready", () => {
    watch.up();
    for (const listener of listeners) listener();
  });
  // What fails here is reported by the events.
  client.connect().catch(() => {});

  /** Null: the server did not answer, or refused. */
  const ask = async <T>(command: () => Promise<T>): Promise<T | null> => {
    if (client.status !== "ready") return null;
    const silence = Promise.withResolvers<null>();
    const giveUp = (problem: string): void => {
      watch.down(problem);
      // A frozen server gets no more requests; those that it has may arrive.
      client.disconnect(true);
      silence.resolve(null);
    };
    try {
      return await noteSilence(PATIENCE_MS, () => Promise.race([command(), silence.promise]), giveUp);
    } catch (error) {
      if (client.status === "ready") watch.down(reasonOf(error));
      return null;
    }
  };

  let isUsed = false;
  let use: (() => void) | null = null;
  let looks: NodeJS.Timeout | undefined;
  const used = (): void => {
    isUsed = true;
    clearInterval(looks);
    use?.();
    use = null;
  };
  const lookFor = async (streams: readonly string[]): Promise<void> => {
    if (use === null || client.status !== "ready") return;
    try {
      for (const name of streams) if ((await client.exists(name)) > 0) return used();
    } catch (error) {
      // A broken connection shows as an event, and who may not ask may be allowed to read.
      if (error instanceof Error && error.name === "ReplyError") used();
    }
  };

  const streamOf = (name: string): string | null =>
    name.startsWith(STREAM_PREFIX) ? name.slice(STREAM_PREFIX.length) : null;
  const requestsOf = (kind: string): string => channels.get(kind)?.requests ?? "";

  const send = async (name: string, text: string): Promise<number | null> => {
    const stream = streamOf(name);
    if (stream === null) return ask(() => client.publish(name, text));
    const id = await ask(() => client.xadd(stream, "*", MESSAGE_FIELD, text));
    return id === null ? null : 1;
  };

  return {
    get isReady() {
      return client.status === "ready";
    },
    onReady: (listener) => void listeners.push(listener),
    isStream: (kind) => streamOf(requestsOf(kind)) !== null,
    whenUsed(streams, listener) {
      use = listener;
      if (isUsed) return used();
      client.on("ready", () => void lookFor(streams));
      looks = setInterval(() => void lookFor(streams), LOOK_EVERY_MS).unref();
      void lookFor(streams);
    },
    async publish(request: AgentRequest) {
      used();
      const count = await send(requestsOf(request.kind), writeRequest(request));
      const arrival: Arrival = count === null ? "away" : count > 0 ? "arrived" : "nobody";
      metrics.requested(request.kind, arrival);
      return arrival;
    },
    async countListeners(kind) {
      const name = requestsOf(kind);
      if (streamOf(name) !== null) return client.status === "ready" ? 1 : null;
      const answer = await ask(() => client.pubsub("NUMSUB", name));
      return answer === null ? null : Number(answer[1]);
    },
    cancel(kind, token, reason) {
      const control = channels.get(kind)?.control ?? null;
      if (control !== null) void send(control, writeCancel(token, reason));
    },
    get connection() {
      return watch.state;
    },
    close() {
      isClosed = true;
      clearInterval(looks);
      client.disconnect();
    },
  };
}
