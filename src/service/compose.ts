/** Builds the service from its parts, in dependency order. They close in reverse order. */
import { randomBytes } from "node:crypto";
import type { Log } from "../base/log.ts";
import { armFailPoints } from "../base/process/fail-points.ts";
import type { HotStateMetrics } from "../bus/redis/hot-state.ts";
import type { MessageCounts } from "../bus/redis/messages.ts";
import type { Config } from "../config/settings.ts";
import type { OperationObserver } from "../engine/operations/observer.ts";
import type { ApprovalIndex } from "../engine/ports/approvals.ts";
import type { InboundTopics } from "../engine/ports/bus/topics.ts";
import type { RunIndex } from "../engine/ports/run-index.ts";
import type { RunObserver } from "../engine/runs/observer.ts";
import type { FlowRegistry } from "../flows/ports/registry.ts";
import type { TemplateCatalogue, TemplateStarts } from "../flows/ports/templates.ts";
import { keepSetting } from "../store/kept-settings.ts";
import { createRunIndex } from "../store/run-index.ts";
import type { Database } from "../store/sql/pool.ts";
import type { ToolMetrics } from "../tools/path/observe-step.ts";
import { makeInstanceId } from "./instance-id.ts";
import { type AgentMetrics, openAgents } from "./parts/agents.ts";
import { openEngine, type RunningEngine } from "./parts/engine.ts";
import { openFlows } from "./parts/flows.ts";
import { type KafkaMetrics, openKafka } from "./parts/kafka.ts";
import { type Connections, createParts } from "./parts/parts.ts";
import { openRedis } from "./parts/redis.ts";
import { createRedisMessages } from "./parts/redis-messages.ts";
import { openRequests } from "./parts/requests.ts";
import { openStore } from "./parts/store.ts";
import { openTools } from "./parts/tools.ts";
import { openWatchdog } from "./parts/watchdog.ts";
import { boundHeapGrowth } from "./processes/heap-growth.ts";

/**
 * The service without its ports: `serve` adds an API to it, and the command line runs it in process. {@link
 * RunningEngine.drain} must come before {@link Core.close}.
 */
export interface Core extends RunningEngine {
  /** Null without Kafka. */
  readonly inboundTopics: InboundTopics | null;
  readonly runIndex: RunIndex;
  readonly approvalIndex: ApprovalIndex;
  readonly flows: FlowRegistry;
  readonly templates: TemplateCatalogue;
  readonly templateStarts: TemplateStarts;
  /** Key of page tokens and cursors; the same for all instances on a database. */
  readonly tokenKey: Uint8Array;
  readonly database: Database;
  /** Description of the store for people: `embedded PostgreSQL in ./data` or the host of the URL. */
  readonly store: string;
  readonly connections: Connections;
  /**
   * Stops accepting work, makes pending decisions durable, releases the shards, and closes the store. Safe to call more
   * than once.
   */
  close(): Promise<void>;
}

/** Options of {@link composeCore} besides the configuration. */
export interface ComposeOptions {
  /** Address at which other instances reach this one, host:port. */
  readonly address: string;
  readonly observers: readonly RunObserver[];
  readonly operationObservers?: readonly OperationObserver[];
  readonly tools?: ToolMetrics;
  readonly hotState?: HotStateMetrics;
  readonly kafka?: KafkaMetrics;
  readonly messages?: MessageCounts;
  readonly agents?: AgentMetrics;
  /** Ends the process when its event loop is blocked: for a process that runs only the service. */
  readonly watchdog?: boolean;
  /** Called with the time that callers waited for a connection. */
  readonly onPoolWait?: (pool: string, waitedMs: number) => void;
}

/** Opens the store and starts the engine. Errors: those of the store (DATA_FOLDER_…, STORE_…), CONFIG_INVALID. */
export async function composeCore(config: Config, log: Log, options: ComposeOptions): Promise<Core> {
  const parts = createParts(log);
  boundHeapGrowth();
  try {
    armForTests(config, log);
    const store = await openStore(config, log, parts, options.onPoolWait);
    const { database } = store;
    const instanceId = config.engine.instanceId ?? makeInstanceId();
    if (options.watchdog === true) openWatchdog(config, store, instanceId, log, parts);
    const flows = await openFlows(config, database, log, parts);
    const key = await keepSetting(database, "token_key", () => randomBytes(32).toString("base64"));
    const tokenKey = Buffer.from(key, "base64");
    const tools = openTools(config, flows.graphs, options.tools, log, parts);
    const lists = createRunIndex(database);
    const { address, observers, operationObservers = [] } = options;
    const redis = await openRedis(config, options.hotState, log, parts);
    const agentMetrics = options.agents ?? { requested() {}, answered() {} };
    const agents = await openAgents(config, { instanceId, metrics: agentMetrics }, log, parts);
    const engine = await openEngine(
      config,
      {
        ...{ store, runIndex: lists, flows, tools, instanceId, address, tokenKey },
        ...{ observers: [...observers, ...redis.observers], operationObservers, agentPost: agents.post },
      },
      log,
      parts,
    );
    redis.attach(engine);
    const inboundTopics = await openKafka(
      config,
      { database, instanceId, engine, flows: flows.flows, metrics: options.kafka ?? { jumped() {}, ignored() {} } },
      log,
      parts,
    );
    const counts = options.messages ?? { counted() {} };
    const messages = createRedisMessages(config, { instanceId, engine, counts }, log, parts);
    const { templateStarts: templates } = flows;
    await openRequests(config, { instanceId, redis, messages, counts, database, engine, templates }, log, parts);
    agents.attach(engine, messages);
    await messages.start();
    return {
      ...engine,
      inboundTopics,
      runIndex: lists,
      approvalIndex: lists,
      flows: flows.flows,
      templates: flows.templates,
      templateStarts: flows.templateStarts,
      tokenKey,
      database,
      store: store.description,
      connections: parts.connections,
      close: parts.close,
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** Arms the fail points of a crash test; the configuration checks have already validated them. */
function armForTests({ testing }: Config, log: Log): void {
  if (testing.failPoints === undefined) return;
  armFailPoints(testing.failPoints);
  log.warn("fail points are armed: this process will break", { failPoints: testing.failPoints });
}
