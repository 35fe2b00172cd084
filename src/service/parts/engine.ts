/** The engine: leases, the shard runtime, and the kinds of entities on it. */
import type { Peers } from "../../api/peers/peers.ts";
import type { Log } from "../../base/log.ts";
import { systemClock } from "../../base/time/clock.ts";
import { readVersion } from "../../base/version.ts";
import type { Config } from "../../config/settings.ts";
import { createAgents } from "../../engine/dispatch/agents/create-agents.ts";
import { createDispatch } from "../../engine/dispatch/create-dispatch.ts";
import { DATABASE_KEY, TaskTokens } from "../../engine/dispatch/tokens.ts";
import { createEngine } from "../../engine/engine.ts";
import { createRowsOf } from "../../engine/make-rows.ts";
import type { OperationObserver } from "../../engine/operations/observer.ts";
import { createOperations } from "../../engine/operations/operations.ts";
import type { Approvals } from "../../engine/ports/approvals.ts";
import type { RunKeys } from "../../engine/ports/bus/run-keys.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import type { AgentAnswers, AgentPost } from "../../engine/ports/dispatch/agents.ts";
import type { Callbacks } from "../../engine/ports/dispatch/callbacks.ts";
import type { HandOvers, Takers } from "../../engine/ports/dispatch/hand-overs.ts";
import type { PeerDispatch } from "../../engine/ports/dispatch/peers.ts";
import type { Queues } from "../../engine/ports/dispatch/queues.ts";
import type { Workers } from "../../engine/ports/dispatch/workers.ts";
import type { TaskGate } from "../../engine/ports/gate/task-gate.ts";
import type { AttemptMeter } from "../../engine/ports/models/attempts.ts";
import type { Operations } from "../../engine/ports/operations.ts";
import type { ServiceLimits } from "../../engine/ports/routing/services.ts";
import type { RunControl } from "../../engine/ports/run-control.ts";
import type { RunIndex } from "../../engine/ports/run-index.ts";
import type { RunReader } from "../../engine/ports/run-reader.ts";
import type { RunRelay, RunWatch } from "../../engine/ports/run-watch.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import type { ToolCaller } from "../../engine/ports/tools.ts";
import type { RunTraces } from "../../engine/ports/traces/run-traces.ts";
import { keepQueueLimits } from "../../engine/queues/queue-limits.ts";
import { QueueRules } from "../../engine/queues/queue-rules.ts";
import { watchQueues } from "../../engine/queues/queue-watch.ts";
import { createQueues } from "../../engine/queues/queues.ts";
import { createRunKeys } from "../../engine/runs/calls/run-keys.ts";
import { OutboxGate, type OutboxGates } from "../../engine/runs/dispatch/outbox-gate.ts";
import { warnOfUnserved } from "../../engine/runs/dispatch/unserved-notes.ts";
import { createFollowers } from "../../engine/runs/followers.ts";
import type { RunObserver } from "../../engine/runs/observer.ts";
import { Recovery } from "../../engine/runs/recovery.ts";
import { createRuns } from "../../engine/runs/runs.ts";
import { holdForBudget, warnOfBudget } from "../../engine/runs/work/budget-hold.ts";
import { warnOfUnbound } from "../../engine/runs/work/unbound-notes.ts";
import type { RuntimeObserver } from "../../engine/shard/observer.ts";
import { DatabaseClock } from "../../engine/shard/ownership/database-clock.ts";
import { JOURNAL_VERSION } from "../../engine/shard/ownership/journal-format.ts";
import type { OwnedShards } from "../../engine/shard/ownership/owned-shards.ts";
import { Runtime } from "../../engine/shard/runtime.ts";
import { createFindUnsentTask } from "../../store/bus/outbox.ts";
import { createIdleRuns } from "../../store/journal/idle-runs.ts";
import { createJournal } from "../../store/journal/journal.ts";
import { openLeases } from "../../store/leases.ts";
import { createOperationStore } from "../../store/operations/operations.ts";
import { createQueueStore } from "../../store/queues/queues.ts";
import { createWaitingTaskStore } from "../../store/waiting-tasks.ts";
import { createOutboxGauges } from "../../telemetry/metrics/outbox-metrics.ts";
import { createQueueGauges } from "../../telemetry/metrics/queue-metrics.ts";
import { OPERATION_PROJECTIONS, RUN_PROJECTIONS, runRows } from "../projections.ts";
import { createLimitsPart, type LimitPorts } from "./engine/limits.ts";
import type { Flows } from "./flows.ts";
import { COUNTING_SHARD, type Parts } from "./parts.ts";
import { redisAddressOf } from "./redis.ts";
import { sendsAnswers } from "./requests.ts";
import type { Store } from "./store.ts";

/** Dependencies of the engine. */
export interface EngineNeeds {
  readonly store: Store;
  readonly runIndex: RunIndex;
  readonly flows: Flows;
  readonly tools: ToolCaller;
  readonly serviceLimits: ServiceLimits;
  /** Judges tasks that others do; null: nobody does. */
  readonly taskGate: TaskGate | null;
  readonly instanceId: string;
  /** Address at which other instances reach this one, host:port. */
  readonly address: string;
  /** The key that the database keeps: of task tokens, and of the proofs that instances give each other. */
  readonly tokenKey: Uint8Array;
  readonly observers: readonly RunObserver[];
  readonly operationObservers: readonly OperationObserver[];
  readonly runtimeObserver: RuntimeObserver;
  /** Decides which runs are sampled; null: nothing is traced. */
  readonly runTraces: RunTraces | null;
  /** Counts the attempts of runs whose budgets limit them. */
  readonly attemptMeter: AttemptMeter;
  /** The way to agents; null: none. */
  readonly agentPost: AgentPost | null;
}

/** A running engine. */
export interface RunningEngine extends LimitPorts {
  readonly runControl: RunControl;
  readonly runReader: RunReader;
  readonly runWatch: RunWatch;
  readonly runKeys: RunKeys;
  readonly approvals: Approvals;
  readonly operations: Operations;
  readonly workers: Workers;
  /** What was done for idle runs. */
  readonly recovery: Pick<Recovery, "counts">;
  readonly callbacks: Callbacks;
  readonly queues: Queues;
  readonly peerDispatch: PeerDispatch;
  readonly handOvers: HandOvers;
  /** Null without Redis. */
  readonly agentAnswers: AgentAnswers | null;
  /** Holds a run of this instance until somebody raises its budget; resolves when that is durable. */
  holdForBudget(runId: string, why: string): Promise<void>;
  /** Tells a run that a budget is nearly used up; resolves when that is durable. */
  warnOfBudget(runId: string, budgetId: string, why: string): Promise<void>;
  /** Whether anybody does the tasks of a line. */
  readonly isServed: Takers["isServed"];
  /** When the message of a task of a run was written that has not been sent, milliseconds; null: there is none. */
  findUnsent(runId: string, path: string): Promise<number | null>;
  readonly shards: OwnedShards;
  /** Of what the configuration names: Kafka, webhooks, Redis. */
  readonly outboxGates: OutboxGates;
  /** Adds an observer of what becomes durable from now on. */
  observe(observer: RunObserver): void;
  readonly cluster: Cluster;
  readonly sharedClock: SharedClock;
  readonly peers: Peers;
  readonly runRelay: RunRelay;
  /** Resolves when the runs that were open at the last stop have been taken over. */
  readonly adopted: Promise<void>;
  /**
   * Stops starting attempts and answers waiting callers; resolves when the running attempts have ended, and after
   * `graceMs` at the latest.
   */
  drain(graceMs: number): Promise<void>;
}

/** Starts the engine: it owns shards when the promise resolves. */
export async function openEngine(config: Config, needs: EngineNeeds, log: Log, parts: Parts): Promise<RunningEngine> {
  const { store, runIndex, flows, tools, instanceId, address, tokenKey } = needs;
  const { observers, operationObservers } = needs;
  const { leaseTtl, commitConnections, defaultTaskTimeout, defaultRunTimeout } = config.engine;
  const { leases, shards, firstSequence } = await openLeases(store.database, {
    instanceId,
    address,
    ttlMs: leaseTtl,
    shards: config.engine.shards,
    alone: store.alone,
    reads: JOURNAL_VERSION,
    release: readVersion(),
  });
  const journal = createJournal(
    store.database,
    [...RUN_PROJECTIONS, ...OPERATION_PROJECTIONS].map(({ table }) => table),
    store.counts.touch,
  );
  const runtime = new Runtime({
    journal,
    leases,
    clock: new DatabaseClock(systemClock),
    log,
    shards,
    commitConnections,
    suspectPauseMs: config.testing.suspectPause,
    observer: needs.runtimeObserver,
  });
  const waitingTasks = createWaitingTaskStore(store.database);
  const outboxGates = createOutboxGates(config);
  const queueStore = createQueueStore(store.database, { alone: store.alone });
  const queueRules = new QueueRules(queueStore, log);
  await queueRules.open();
  parts.onClose(() => queueRules.stop());
  const { sessionTimeout: sessionTimeoutMs, tokenKeys } = config.workers;
  const ofDatabase = { id: DATABASE_KEY, secret: tokenKey };
  const tokens = new TaskTokens(tokenKeys[0] ?? ofDatabase, ...tokenKeys.slice(1), ofDatabase);
  const dispatch = createDispatch(runtime, {
    ...{ instanceId, waitingTasks, log, sessionTimeoutMs, settings: queueRules },
    tokens,
  });
  const agents =
    needs.agentPost === null
      ? null
      : createAgents(runtime, {
          ...{ post: needs.agentPost, store: waitingTasks, tokens, log },
          maxInFlight: config.agents.maxInFlight,
        });
  const limits = createLimitsPart(
    runtime,
    { database: store.database, shards, instanceId, configuredUses: (limit) => servicesUnder(limit, config) },
    log,
    parts,
  );
  const runs = createRuns(runtime, {
    ...dispatch,
    limitLines: limits.lines,
    attemptMeter: needs.attemptMeter,
    serviceLimits: needs.serviceLimits,
    taskGate: needs.taskGate,
    ...(agents === null ? {} : { agents: agents.takers }),
    outboxGates,
    tokens,
    publicUrl: config.server.publicUrl ?? null,
    firstSequence,
    sessionTimeoutMs,
    journal,
    rowsOf: createRowsOf(
      runRows({
        deadLetters: outboxGates.topics !== undefined,
        answers: sendsAnswers(config),
        controls: outboxGates.topics !== undefined && config.kafka.taskControl,
      }),
    ),
    flows: flows.flows,
    graphs: new Set(flows.graphs?.names()),
    tools,
    log,
    defaultTaskTimeoutMs: defaultTaskTimeout === 0 ? null : defaultTaskTimeout,
    observers,
    traces: needs.runTraces,
  });
  const followers = createFollowers();
  const engine = createEngine(runs, followers, {
    defaultRunTimeoutMs: defaultRunTimeout === 0 ? null : defaultRunTimeout,
    maxExecutions: config.workflows.maxConcurrent ?? null,
  });
  // Loaded here, so that the database starts while the modules of the API are read.
  const [{ createPeers }, { createRunActions }] = await Promise.all([
    import("../../api/peers/peers.ts"),
    import("../../api/run-actions.ts"),
  ]);
  const { cluster, clock: sharedClock } = runtime;
  const { maxMessageBytes } = config.limits;
  const peers = createPeers({ cluster, sharedClock, tokenKey, maxMessageBytes });
  parts.onClose(() => peers.close());
  const operations = createOperations(runtime, {
    store: createOperationStore(store.database),
    runIndex,
    rowsOf: createRowsOf(OPERATION_PROJECTIONS.map(({ rows }) => rows)),
    observers: operationObservers,
    actions: createRunActions({
      runControl: engine,
      runReader: engine,
      flows: flows.flows,
      limits: config.limits,
      route: peers.route,
    }),
    log,
  });
  await runtime.open();
  const { workers, peerDispatch, settled, close } = dispatch.open(runs.handOvers, peers.calls);
  queueRules.onChange(settled);
  const { handOvers, isServed } = runs;
  const findUnsentTask = createFindUnsentTask(store.database);
  const agentAnswers = agents?.start(handOvers) ?? null;
  limits.start(runs.limitedTasks, peers.calls);
  await runtime.start(leaseTtl);
  const queueLimits = keepQueueLimits({ store: queueStore, rules: queueRules, handOvers, shards: runtime.shards, log });
  const isPaused = (line: { readonly tenantId: string; readonly queue: string }): boolean =>
    (queueRules.of(line)?.pause ?? null) !== null;
  const queueWatch = watchQueues({ store: queueStore, isServed, isPaused, shards: runtime.shards, log });
  const unservedNotes = warnOfUnserved({
    ...{ runs, log, clock: runtime.clock },
    isUnserved: (line) => !isPaused(line) && !isServed(line),
  });
  const unboundNotes = warnOfUnbound({ runs, log, clock: runtime.clock, places: limits.ports.limitPlaces });
  const recovery = new Recovery({ idle: createIdleRuns(store.database.reads), runs, control: engine, log });
  const { metrics } = parts;
  const showQueues = createQueueGauges(metrics);
  const showOutbox = createOutboxGauges(metrics);
  metrics.beforeRead(async () =>
    showQueues({
      totals: runtime.shards.owned.includes(COUNTING_SHARD) ? await queueStore.listTotals() : [],
      unserved: queueWatch.unserved,
      workers: workers.listAll(),
    }),
  );
  metrics.beforeRead(async () => showOutbox(outboxGates));
  metrics.beforeRead(async () => metrics.gauge("orchestrator_active_tasks").set(runs.activeTasks.count));
  metrics.beforeRead(async () => metrics.gauge("orchestrator_watch_buffered_events").set(engine.watchBacklog));
  const { recoveryEnabled, recoveryInterval } = config.workflows;
  const recoveries = recoveryEnabled ? recovery.repeat(recoveryInterval) : null;
  parts.onClose(async () => {
    agents?.stop();
    await Promise.all([
      limits.stopAudit(),
      queueLimits.stop(),
      queueWatch.stop(),
      unservedNotes.stop(),
      unboundNotes.stop(),
      recoveries?.stop(),
    ]);
    await close();
    await limits.stop();
    await runs.stop();
    await runtime.stop();
  });
  return {
    runControl: engine,
    runReader: engine,
    runWatch: engine,
    runKeys: createRunKeys(journal),
    approvals: engine,
    operations,
    workers,
    recovery,
    callbacks: runs.callbacks,
    ...limits.ports,
    queues: createQueues({ store: queueStore, changed: () => queueRules.refresh() }),
    peerDispatch,
    handOvers: runs.handOvers,
    agentAnswers,
    isServed,
    holdForBudget: (runId, why) => holdForBudget(runs, runId, why),
    warnOfBudget: (runId, budgetId, why) => warnOfBudget(runs, runId, budgetId, why),
    findUnsent: (runId, path) => findUnsentTask(runtime.shards.shardOf(runId), runId, path),
    shards: runtime.shards,
    outboxGates,
    observe: runs.observe,
    cluster,
    sharedClock,
    peers,
    runRelay: followers,
    adopted: runtime.adopted,
    drain: async (graceMs) => void (await runtime.drain(graceMs)),
  };
}

function createOutboxGates(config: Config): OutboxGates {
  return {
    ...((config.kafka.bootstrapServers ?? []).length > 0 ? { topics: new OutboxGate() } : {}),
    ...(Object.keys(config.webhooks.endpoints).length > 0 ? { webhooks: new OutboxGate() } : {}),
    ...(redisAddressOf(config) !== null ? { streams: new OutboxGate() } : {}),
    ...(sendsAnswers(config) ? { answers: new OutboxGate() } : {}),
  };
}

/** Names of the services of the configuration that name a limit. */
function servicesUnder(limit: string, { routing }: Pick<Config, "routing">): readonly string[] {
  return Object.entries(routing.services).flatMap(([name, entry]) => (entry.limit === limit ? [name] : []));
}
