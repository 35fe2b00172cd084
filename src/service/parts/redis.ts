/** Redis: the state of runs for readers outside. Not loaded unless the configuration names a server. */
import { EXECUTION_LABELS, EXECUTION_SOURCE } from "../../base/labels.ts";
import type { Log } from "../../base/log.ts";
import type { RedisAddress } from "../../bus/redis/client.ts";
import type { RedisConnection } from "../../bus/redis/connection.ts";
import { STREAM_PREFIX } from "../../bus/redis/messages.ts";
import type { Config } from "../../config/settings.ts";
import { isEndRecord } from "../../engine/machine/control/end-records.ts";
import type { RunObserver } from "../../engine/runs/observer.ts";
import { summarizeRun } from "../../engine/runs/projections/run-summary.ts";
import type { RunningEngine } from "./engine.ts";
import type { Parts } from "./parts.ts";

/** How long a stop waits for what is to be written, milliseconds. */
const FLUSH_MS = 1_000;

/** What Redis has to do with the engine. */
export interface Redis {
  /** Null without a server. */
  readonly connection: RedisConnection | null;
  readonly observers: readonly RunObserver[];
  /** The engine runs. */
  attach(engine: Pick<RunningEngine, "shards">): void;
}

/** Connects if the configuration names a server. It may be away: nothing waits for it. */
export async function openRedis(config: Config, log: Log, parts: Parts): Promise<Redis> {
  const { keyPrefix = "", keyTtl, executionTtl } = config.redis;
  const address = redisAddressOf(config);
  if (address === null) {
    parts.reports("redis", () => null);
    return { connection: null, observers: [], attach() {} };
  }
  const [{ openRedisConnection }, { HotState }] = await Promise.all([
    import("../../bus/redis/connection.ts"),
    import("../../bus/redis/hot-state.ts"),
  ]);
  const connection = openRedisConnection(address, log);
  parts.reports("redis", () => connection.state);
  let shards: RunningEngine["shards"] | null = null;
  const states = new HotState({
    ...{ connection, log },
    metrics: {
      counted: (result, count) => parts.metrics.counter("orchestrator_hot_states_total", result).add(count),
    },
    ttlOf: ({ state }) => (state.facts.labels[EXECUTION_LABELS.source] === EXECUTION_SOURCE ? executionTtl : keyTtl),
    keyOf: (runId) => `${keyPrefix}run:${runId}:state`,
    sequenceOf: ({ state }) => state.sequence,
    summarize: summarizeRun,
    owns: (runId) => shards?.epochOf(shards.shardOf(runId)) !== undefined,
  });
  // The engine has closed by then: what ended meanwhile is written.
  parts.onClose(async () => {
    await states.flush(FLUSH_MS);
    states.stop();
    connection.close();
  });
  return {
    connection,
    observers: [
      {
        committed: (run, records, firstSequence) => {
          const last = records.at(-1);
          const durable = firstSequence + records.length - 1;
          states.committed(run.state.runId, run, durable, last !== undefined && isEndRecord(last));
        },
      },
    ],
    attach(engine) {
      shards = engine.shards;
      // The shards are still ours: open runs are written before the next owner has them.
      parts.onClose(() => states.flush(FLUSH_MS));
    },
  };
}

/** Names that the service or agents read and write themselves, with the prefix of the configuration. */
export function ownRedisNames({ agents, redis }: Config): ReadonlySet<string> {
  const { workflowRequests, workflowResponses, channelPrefix: prefix = "" } = redis;
  const names = [
    ...[...workflowRequests, ...workflowResponses, agents.dataRequests, agents.aiRequests, agents.execRequests],
    ...[...agents.dataResponses, ...agents.aiResponses, ...agents.execResponses],
    ...["data-control", "ai-control", "exec-control"],
  ];
  return new Set(
    names.map((name) => prefix + (name.startsWith(STREAM_PREFIX) ? name.slice(STREAM_PREFIX.length) : name)),
  );
}

/** The server that the configuration names; null: none. */
export function redisAddressOf({ redis }: Config): RedisAddress | null {
  const { url, host, port, password, database } = redis;
  if (url !== undefined) return { url };
  return host !== undefined ? { host, port, password, database } : null;
}
