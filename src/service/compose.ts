/** Builds the service from its parts, in dependency order. They close in reverse order. */
import { randomBytes } from "node:crypto";
import { type Log, logOf } from "../base/log.ts";
import { armFailPoints } from "../base/process/fail-points.ts";
import type { Secrets } from "../base/secrets/secrets.ts";
import { openSecrets } from "../config/config.ts";
import type { Config } from "../config/settings.ts";
import { createDryRuns } from "../engine/dry-run/dry-runs.ts";
import { createDraftSteps } from "../engine/generation/draft-steps.ts";
import { createPlanSteps } from "../engine/goals/plan-steps.ts";
import { createJudgeSteps } from "../engine/judge/judge-steps.ts";
import type { OperationObserver } from "../engine/operations/observer.ts";
import type { ApprovalIndex } from "../engine/ports/approvals.ts";
import type { RejectedList } from "../engine/ports/bus/rejected.ts";
import type { InboundTopics } from "../engine/ports/bus/topics.ts";
import type { UndeliveredMessages } from "../engine/ports/bus/undelivered.ts";
import type { DryRuns } from "../engine/ports/dry-run/dry-runs.ts";
import type { GoalCheck } from "../engine/ports/gate/goal-check.ts";
import type { GoalTables } from "../engine/ports/gate/goal-tables.ts";
import type { Goals } from "../engine/ports/gate/goals.ts";
import type { Generations } from "../engine/ports/generation/generations.ts";
import type { Upgrades } from "../engine/ports/instances/upgrades.ts";
import type { BudgetControl } from "../engine/ports/models/budgets.ts";
import type { PutServices, ServiceCatalogue } from "../engine/ports/routing/services.ts";
import type { Breakers, ToolOverrides } from "../engine/ports/routing/tool-overrides.ts";
import type { RunIndex } from "../engine/ports/run-index.ts";
import type { RunObserver } from "../engine/runs/observer.ts";
import { NO_OBSERVER, type RuntimeObserver } from "../engine/shard/observer.ts";
import type { GoalFlows } from "../flows/builtin/goal.ts";
import type { Served } from "../flows/check/unserved.ts";
import type { BuiltInDocument } from "../flows/ports/built-in.ts";
import type { FlowRegistry } from "../flows/ports/registry.ts";
import type { TemplateCatalogue, TemplateStarts } from "../flows/ports/templates.ts";
import { createRejectedList } from "../store/bus/rejected.ts";
import { createUndeliveredMessages } from "../store/bus/undelivered.ts";
import { createGoals } from "../store/goals/goals.ts";
import { keepSetting } from "../store/kept-settings.ts";
import { createPutServiceStore } from "../store/routing/put-services.ts";
import { createRunIndex } from "../store/run-index.ts";
import type { Database } from "../store/sql/pool.ts";
import { createGenerations } from "../store/templates/generations.ts";
import type { Metrics } from "../telemetry/metrics/metrics.ts";
import { createModelEstimates } from "../tools/model/estimates.ts";
import { makeInstanceId } from "./instance-id.ts";
import { openAgents } from "./parts/agents.ts";
import { openBudgets } from "./parts/budgets.ts";
import { draftWriterOf } from "./parts/built-in/generation.ts";
import { goalFlowsOf } from "./parts/built-in/goals.ts";
import { openGoalTables } from "./parts/engine/goal-tables.ts";
import { openEngine, type RunningEngine } from "./parts/engine.ts";
import { openFlows } from "./parts/flows.ts";
import { openGate } from "./parts/gate.ts";
import { openKafka } from "./parts/kafka/kafka.ts";
import { openModels } from "./parts/models.ts";
import { createRelays } from "./parts/outgoing/relays.ts";
import { openStreams } from "./parts/outgoing/streams.ts";
import { openUnserved } from "./parts/outgoing/unserved.ts";
import { openWebhooks } from "./parts/outgoing/webhooks.ts";
import { type Connections, createParts } from "./parts/parts.ts";
import { openRedis } from "./parts/redis.ts";
import { createRedisMessages } from "./parts/redis-messages.ts";
import { openRequests } from "./parts/requests.ts";
import { openOverrides } from "./parts/routing/overrides.ts";
import { openRouting, type Routing } from "./parts/routing/routing.ts";
import { openServices } from "./parts/routing/services.ts";
import { openTools } from "./parts/routing/tools.ts";
import { openStore } from "./parts/store.ts";
import { openTracing, type Tracing } from "./parts/traces/tracing.ts";
import { openTriggerStreams } from "./parts/triggers/trigger-streams.ts";
import { openTriggers, type TriggerParts } from "./parts/triggers/triggers.ts";
import { openUpgrades } from "./parts/upgrades.ts";
import { openWatchdog } from "./parts/watchdog.ts";
import { boundHeapGrowth } from "./processes/heap-growth.ts";

/**
 * The service without its ports: `serve` adds an API to it, and the command line runs it in process. {@link
 * RunningEngine.drain} must come before {@link Core.close}.
 */
export interface Core extends RunningEngine, TriggerParts, Routing {
  readonly services: ServiceCatalogue;
  readonly putServices: PutServices;
  readonly breakers: Breakers;
  readonly toolOverrides: ToolOverrides;
  /** Null without Kafka. */
  readonly inboundTopics: InboundTopics | null;
  readonly rejectedMessages: RejectedList;
  readonly undelivered: UndeliveredMessages;
  readonly budgets: BudgetControl;
  readonly dryRuns: DryRuns;
  readonly goalCheck: GoalCheck;
  readonly goalFlows: GoalFlows;
  readonly goals: Goals;
  readonly generations: Generations;
  /** Null: nobody writes templates. */
  readonly generationFlow: BuiltInDocument | null;
  readonly servedFlows: Served;
  readonly goalTables: GoalTables;
  readonly upgrades: Upgrades;
  readonly runIndex: RunIndex;
  readonly approvalIndex: ApprovalIndex;
  readonly flows: FlowRegistry;
  readonly templates: TemplateCatalogue;
  readonly templateStarts: TemplateStarts;
  readonly secrets: Secrets;
  /** Key of page tokens and cursors; the same for all instances on a database. */
  readonly tokenKey: Uint8Array;
  readonly database: Database;
  /** Description of the store for people: `embedded PostgreSQL in ./data` or the host of the URL. */
  readonly store: string;
  readonly connections: Connections;
  /** Null: nothing is traced. */
  readonly servedSpans: Tracing["servedSpans"] | null;
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
  readonly runtimeObserver?: RuntimeObserver;
  /** What the parts count in; absent: nothing is counted. */
  readonly metrics?: Metrics;
  /** Those of the configuration when absent. */
  readonly secrets?: Secrets;
  /** Ends the process when its event loop is blocked: for a process that runs only the service. */
  readonly watchdog?: boolean;
}

/** Opens the store and starts the engine. Errors: those of the store (DATA_FOLDER_…, STORE_…), CONFIG_INVALID. */
export async function composeCore(config: Config, log: Log, options: ComposeOptions): Promise<Core> {
  const parts = createParts(log, options.metrics);
  boundHeapGrowth();
  try {
    armForTests(config, log);
    const store = await openStore(config, logOf(log, "store"), parts);
    const { database } = store;
    const instanceId = config.engine.instanceId ?? makeInstanceId();
    if (options.watchdog === true) openWatchdog(config, store, instanceId, log, parts);
    const secrets = options.secrets ?? openSecrets(config);
    const services = await openServices(
      config,
      { store: createPutServiceStore(database, store), secrets },
      logOf(log, "services"),
      parts,
    );
    const key = await keepSetting(database, "token_key", () => randomBytes(32).toString("base64"));
    const tokenKey = Buffer.from(key, "base64");
    const gate = await openGate(config, tokenKey, logOf(log, "gate"), parts);
    const flows = await openFlows(config, { database, services, gate: gate.callGate }, logOf(log, "flows"), parts);
    const budgets = openBudgets(config, { database, instanceId }, log, parts);
    const { toolOverrides, rules, listHeld } = await openOverrides(store, log, parts);
    const models = openModels(config, { database, secrets, meter: budgets.meter, rules }, logOf(log, "models"), parts);
    const estimates = createModelEstimates(models?.providers ?? null);
    const dryRuns = createDryRuns({ flows: flows.flows, estimates, now: Date.now });
    const { graphs, keptTemplates: kept } = flows;
    const steps = new Map([
      ...createDraftSteps({ ...flows, kept, dryRuns }),
      ...createJudgeSteps(),
      ...createPlanSteps(flows),
    ]);
    const tracing = await openTracing(config, instanceId, log, parts);
    const tools = openTools(
      config,
      { graphs, steps, services, models, rules, gate: gate.callGate, spans: tracing?.callSpans ?? null },
      log,
      parts,
    );
    const lists = createRunIndex(database);
    const goalTables = openGoalTables(database, log, parts);
    const { address, observers, operationObservers = [], runtimeObserver = NO_OBSERVER } = options;
    const redis = await openRedis(config, logOf(log, "redis"), parts);
    const agents = await openAgents(config, instanceId, logOf(log, "redis"), parts);
    const engine = await openEngine(
      config,
      {
        ...{ store, runIndex: lists, flows, tools, instanceId, address, tokenKey, serviceLimits: services },
        taskGate: gate.taskGate,
        observers: [...observers, ...redis.observers, ...(tracing?.observers ?? [])],
        operationObservers,
        runTraces: tracing?.runTraces ?? null,
        ...{ runtimeObserver, agentPost: agents.post },
        attemptMeter: budgets.attemptMeter,
      },
      logOf(log, "engine"),
      parts,
    );
    tracing?.attach(engine);
    redis.attach(engine);
    budgets.attach(engine);
    goalTables.attach(engine);
    const routing = openRouting(config, { database, engine, flows: flows.flows }, log, parts);
    const triggers = await openTriggers(
      config,
      { instanceId, store, engine, flows: flows.flows, secrets },
      logOf(log, "triggers"),
      parts,
    );
    const relays = createRelays(parts, listHeld, () => engine.sharedClock.now());
    const inboundTopics = await openKafka(
      config,
      { database, instanceId, engine, flows: flows.flows, triggerEvents: triggers.triggerEvents, relays },
      logOf(log, "kafka"),
      parts,
    );
    await openStreams(config, { database, engine, redis, relays }, logOf(log, "redis"), parts);
    await openWebhooks(config, { database, engine, secrets, relays }, logOf(log, "webhooks"), parts);
    const messages = createRedisMessages(config, { instanceId, engine }, logOf(log, "redis"), parts);
    const { templateStarts: templates } = flows;
    await openRequests(config, { instanceId, redis, messages, database, engine, templates, relays }, log, parts);
    openUnserved(config, { database, engine, relays }, log, parts);
    agents.attach(engine, messages);
    await messages.start();
    const now = (): number => engine.sharedClock.now();
    const draftWriter = draftWriterOf(config);
    openTriggerStreams(config, { instanceId, triggerEvents: triggers.triggerEvents, now }, log, parts);
    return {
      ...engine,
      ...triggers,
      ...routing,
      budgets: budgets.budgets,
      dryRuns,
      goalCheck: gate.goalCheck,
      goalFlows: goalFlowsOf(config, draftWriter),
      goals: createGoals(database),
      generations: createGenerations(database),
      generationFlow: draftWriter?.flow ?? null,
      servedFlows: flows.served,
      goalTables,
      services: services.catalogue,
      putServices: services.put.control,
      breakers: { instanceId, listBreakers: tools.listBreakers },
      toolOverrides,
      inboundTopics,
      rejectedMessages: createRejectedList(database),
      undelivered: createUndeliveredMessages(database, relays.look),
      upgrades: await openUpgrades(config, store, log),
      runIndex: lists,
      approvalIndex: lists,
      flows: flows.flows,
      templates: flows.templates,
      templateStarts: flows.templateStarts,
      secrets,
      tokenKey,
      database,
      store: store.description,
      connections: parts.connections,
      servedSpans: tracing?.servedSpans ?? null,
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
