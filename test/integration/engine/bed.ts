/**
 * Engines on one database, as many as a test wants, each with tools and a journal that can be made to misbehave.
 * Call {@link createBed} in the body of a file; its tables are emptied after each test.
 */
import { afterEach, beforeAll } from "vitest";
import type { JsonObject } from "../../../src/base/json/json.ts";
import { systemClock } from "../../../src/base/time/clock.ts";
import { createDispatch, type OpenDispatch } from "../../../src/engine/dispatch/create-dispatch.ts";
import { TaskTokens } from "../../../src/engine/dispatch/tokens.ts";
import { createEngine, type Engine } from "../../../src/engine/engine.ts";
import { foldJournal } from "../../../src/engine/machine/apply.ts";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import type { Approval, RunState } from "../../../src/engine/machine/state.ts";
import { createRowsOf } from "../../../src/engine/make-rows.ts";
import type { OperationObserver } from "../../../src/engine/operations/observer.ts";
import { createOperations } from "../../../src/engine/operations/operations.ts";
import type { Caller } from "../../../src/engine/ports/caller.ts";
import type { LimitLines } from "../../../src/engine/ports/dispatch/limits.ts";
import type { PeerCalls, PeerDispatch } from "../../../src/engine/ports/dispatch/peers.ts";
import type { Queues } from "../../../src/engine/ports/dispatch/queues.ts";
import type { Workers } from "../../../src/engine/ports/dispatch/workers.ts";
import type { Leases } from "../../../src/engine/ports/leases.ts";
import type { Operations, RunActions } from "../../../src/engine/ports/operations.ts";
import { keepQueueLimits } from "../../../src/engine/queues/queue-limits.ts";
import { QueueRules } from "../../../src/engine/queues/queue-rules.ts";
import { createQueues } from "../../../src/engine/queues/queues.ts";
import type { OutboxGate } from "../../../src/engine/runs/dispatch/outbox-gate.ts";
import { createFollowers } from "../../../src/engine/runs/followers.ts";
import type { RunObserver } from "../../../src/engine/runs/observer.ts";
import { createRuns, type Runs } from "../../../src/engine/runs/runs.ts";
import type { RuntimeObserver } from "../../../src/engine/shard/observer.ts";
import { DatabaseClock } from "../../../src/engine/shard/ownership/database-clock.ts";
import { JOURNAL_VERSION } from "../../../src/engine/shard/ownership/journal-format.ts";
import { Runtime } from "../../../src/engine/shard/runtime.ts";
import type { FlowRegistry } from "../../../src/flows/ports/registry.ts";
import { createFlowRegistry } from "../../../src/flows/registry.ts";
import { OPERATION_PROJECTIONS, RUN_PROJECTIONS } from "../../../src/service/projections.ts";
import { createFlowStore } from "../../../src/store/flow-versions.ts";
import { createJournal } from "../../../src/store/journal/journal.ts";
import { openLeases } from "../../../src/store/leases.ts";
import { createOperationStore } from "../../../src/store/operations/operations.ts";
import { createQueueStore } from "../../../src/store/queues/queues.ts";
import { createRunIndex } from "../../../src/store/run-index.ts";
import type { Database } from "../../../src/store/sql/pool.ts";
import { createWaitingTaskStore } from "../../../src/store/waiting-tasks.ts";
import type { Carrier } from "../../../src/tasks/define.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { createFakeTools, type FakeTools } from "./fake-tools.ts";
import { createFaultyJournal, type FaultyJournal } from "./faulty-journal.ts";
import { createTestLimits, limitsHeard, tellingFrom } from "./limit-calls.ts";
import { createLog, type LogLine } from "./log-lines.ts";
import { createRunActions } from "./run-actions.ts";

/** Who calls in these tests. */
export const CALLER: Caller = { tenantId: "default", actor: "tester" };

/** Shards of the test databases. */
export const SHARDS = 8;

/** One engine. */
export interface Instance {
  readonly id: string;
  readonly runtime: Runtime;
  readonly engine: Engine;
  readonly runs: Runs;
  readonly operations: Operations;
  readonly workers: Workers;
  readonly queues: Queues;
  readonly limitLines: LimitLines;
  readonly rules: QueueRules;
  readonly isServed: OpenDispatch["isServed"];
  readonly peerDispatch: PeerDispatch;
  readonly journal: FaultyJournal;
  readonly leases: Leases;
  readonly tools: FakeTools;
  readonly lines: readonly LogLine[];
  /** How often the instance was renewed. */
  renewals(): number;
  /** Stops in good order. */
  stop(): Promise<void>;
  /** As good as killed: it gets no answer any more, and its place among the instances is free. */
  crash(): Promise<void>;
  /** Others think that it is dead; it does not know and goes on. */
  expire(): Promise<void>;
}

/** What an instance may be given. */
export interface InstanceOptions {
  readonly ttlMs?: number;
  readonly commitConnections?: number;
  readonly tools?: FakeTools;
  readonly database?: Database;
  /** Are notified of what becomes durable. */
  readonly observers?: readonly RunObserver[];
  readonly runtimeObserver?: RuntimeObserver;
  readonly operationObservers?: readonly OperationObserver[];
  /** How far the clock of the machine is ahead. */
  readonly machineClockMs?: number;
  /** Stands before the list of runs to take over. */
  readonly beforeList?: () => void | Promise<void>;
  /** Stands before reads of runs, from the first one on. */
  readonly beforeLoad?: (runId: string) => void | Promise<void>;
  /** Stands between the registration of the instance and its first shard. */
  readonly beforeStart?: () => Promise<void>;
  /** Stands around the real leases. */
  readonly wrapLeases?: (leases: Leases) => Leases;
  /** Stands around what operations do to runs. */
  readonly wrapActions?: (actions: RunActions) => RunActions;
  /** Longest pause before the trial of a run with a death; absent: 50 ms. */
  readonly suspectPauseMs?: number;
  /** When a trial is late; absent: 10 s. */
  readonly suspectPatienceMs?: number;
  /** How long sessions of workers live after their last sign. */
  readonly sessionTimeoutMs?: number;
  /** Tasks of executors are put on topics, as the gate lets them; absent: workers do them. */
  readonly topics?: OutboxGate;
  /** Nothing that it tells others about limits arrives. */
  readonly tellsNobody?: boolean;
  /** How many executions may be open; absent: any number. */
  readonly maxExecutions?: number;
  /** Names of the graphs that are loaded; absent: every start is taken. */
  readonly graphs?: ReadonlySet<string>;
  /** The projections of runs; absent: those of the service. */
  readonly projections?: typeof RUN_PROJECTIONS;
}

/** A database with engines on it. */
export interface Bed {
  readonly database: Database;
  readonly target: TestDatabase["target"];
  openInstance(options?: InstanceOptions): Promise<Instance>;
  /** Registers a flow; `tasks` is the list of a DAG flow, an object a whole document. */
  register(flow: string, tasks: readonly JsonObject[] | JsonObject, tenantId?: string): Promise<void>;
  sql<Row extends object = Record<string, unknown>>(text: string, values?: (string | number)[]): Promise<Row[]>;
  /** Records of a run as the store has them. */
  recordsOf(runId: string): Promise<JournalRecord[]>;
  /** State of a run as folding its journal gives it. */
  stateOf(runId: string): Promise<RunState>;
  /** Id of the approval that the run asks for now; 0 when there is none. */
  openApprovalOf(runId: string, task?: string): Promise<number>;
}

let counter = 0;

/** What each instance takes from the others. */
const dispatches = new Map<string, PeerDispatch>();

/** How many tasks each instance has last said to wait in it, in all lines. */
export const wantsTold = new Map<string, number>();

/** Instances that have asked for slots that were lent and not used. */
export const recalls = new Set<string>();

/** Calls from an instance to others in this process. */
function callsBetween(from: string): PeerCalls {
  return {
    exchange: async (peer, conversation, message) => {
      await new Promise((resolve) => setImmediate(resolve));
      const there = dispatches.get(peer.id);
      if (there === undefined || !dispatches.has(from)) throw new Error(`${peer.id} does not answer`);
      const answer = there.exchange(conversation, message);
      if (message.recalled.length > 0) recalls.add(from);
      if (message.wants.length > 0) wantsTold.set(from, Math.max(...message.wants.map(({ count }) => count)));
      return answer;
    },
  };
}

/** The same for all instances, as those of a database have it. */
const TOKENS = new TaskTokens({ id: 1, secret: Buffer.alloc(32, 7) });

/** A {@link Bed} for one test file. */
export function createBed(): Bed {
  let opened: TestDatabase;
  const instances: Instance[] = [];
  const registries: FlowRegistry[] = [];
  beforeAll(async () => {
    opened = await createTestDatabase();
  });
  afterEach(async () => {
    const failures = await Promise.allSettled(instances.splice(0).map((instance) => instance.stop()));
    registries.length = 0;
    await opened.database.journal.query(
      `TRUNCATE orchestrator.runs, orchestrator.journal, orchestrator.starts, orchestrator.void_starts, orchestrator.approvals, orchestrator.dead_letters,
        orchestrator.outbox, orchestrator.operations, orchestrator.instances, orchestrator.shard_leases, orchestrator.flow_versions, orchestrator.flow_limits, orchestrator.suspects,
        orchestrator.owner_deaths, orchestrator.waiting_tasks, orchestrator.queues,
        orchestrator.limit_slots, orchestrator.limits, orchestrator.limit_rates, orchestrator.limit_pauses`,
    );
    for (const failure of failures) if (failure.status === "rejected") throw failure.reason;
  });
  const sql: Bed["sql"] = async <Row extends object>(text: string, values?: (string | number)[]) =>
    (await opened.database.reads.query<Row>(text, values)).rows;
  const recordsOf = async (runId: string): Promise<JournalRecord[]> => {
    const rows = await sql<{ sequence: number; record_count: number; records: string }>(
      "SELECT sequence, record_count, records FROM orchestrator.journal WHERE run_id = $1 ORDER BY sequence",
      [runId],
    );
    return rows.flatMap((row) => JSON.parse(row.records) as JournalRecord[]);
  };
  return {
    get database() {
      return opened.database;
    },
    get target() {
      return opened.target;
    },
    sql,
    recordsOf,
    stateOf: async (runId) => foldJournal(runId, await recordsOf(runId)),
    openApprovalOf: async (runId, task) => {
      const { approvals } = foldJournal(runId, await recordsOf(runId));
      const isAsked = (one: Approval) => one.state === "PENDING" && (task === undefined || one.task === task);
      return [...approvals.values()].find(isAsked)?.id ?? 0;
    },
    register: async (flow, tasks, tenantId = "default") => {
      const document = Array.isArray(tasks)
        ? { id: flow, name: flow, version: "1", workflow: { tasks } }
        : { id: flow, name: flow, version: "1", ...tasks };
      const registry = createFlowRegistry(createFlowStore(opened.database));
      const { problems } = await registry.registerFlow(tenantId, { document: document as JsonObject }, false);
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
    },
    openInstance: async (options = {}) => {
      const instance = await openInstance(options.database ?? opened.database, opened.database, options);
      instances.push(instance);
      return instance;
    },
  };
}

async function openInstance(database: Database, admin: Database, options: InstanceOptions): Promise<Instance> {
  counter += 1;
  const id = `instance-${counter}`;
  const ttlMs = options.ttlMs ?? 60_000;
  const lines: LogLine[] = [];
  const log = createLog(lines);
  let dead = false;
  const {
    leases: real,
    shards,
    firstSequence,
  } = await openLeases(database, {
    instanceId: id,
    address: "127.0.0.1:0",
    ttlMs,
    shards: SHARDS,
    alone: false,
    reads: JOURNAL_VERSION,
    release: "test",
  });
  let renewals = 0;
  const live = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) await new Promise(() => {});
    return work();
  };
  const wrapped = options.wrapLeases?.(real) ?? real;
  const leases: Leases = {
    ...wrapped,
    acquire: (wanted, options) => {
      if (options?.renews === true) renewals += 1;
      return live(() => wrapped.acquire(wanted, options));
    },
    // Tests say when an instance looks for shards.
    listen: () => async () => {},
    renew: () => {
      renewals += 1;
      return live(() => wrapped.renew());
    },
    raise: (wanted) => live(() => wrapped.raise(wanted)),
    release: () => live(() => wrapped.release()),
  };
  const projections = options.projections ?? RUN_PROJECTIONS;
  const journal = createFaultyJournal(
    createJournal(
      database,
      [...projections, ...OPERATION_PROJECTIONS].map(({ table }) => table),
    ),
  );
  journal.beforeList = options.beforeList ?? null;
  journal.beforeLoad = options.beforeLoad ?? null;
  const tools = options.tools ?? createFakeTools();
  const observers = options.observers ?? [];
  const runtime = new Runtime({
    journal,
    leases,
    clock: new DatabaseClock({ ...systemClock, now: () => systemClock.now() + (options.machineClockMs ?? 0) }),
    log,
    shards,
    commitConnections: options.commitConnections ?? 2,
    suspectPauseMs: options.suspectPauseMs ?? 50,
    suspectPatienceMs: options.suspectPatienceMs,
    observer: options.runtimeObserver,
  });
  const waitingTasks = createWaitingTaskStore(database);
  const queueStore = createQueueStore(database);
  const rules = new QueueRules(queueStore, log);
  await rules.open();
  const { sessionTimeoutMs } = options;
  const dispatch = createDispatch(runtime, {
    instanceId: id,
    waitingTasks,
    settings: rules,
    tokens: TOKENS,
    log,
    sessionTimeoutMs,
  });
  const limits = createTestLimits(runtime, { id, database, shards, log });
  const runs = createRuns(runtime, {
    ...dispatch,
    limitLines: limits.lines,
    outboxGates: options.topics === undefined ? {} : { topics: options.topics },
    tokens: TOKENS,
    publicUrl: null,
    firstSequence,
    ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
    journal,
    rowsOf: createRowsOf(projections.map(({ rows }) => rows)),
    flows: createFlowRegistry(createFlowStore(database), undefined, {
      carriers: new Set<Carrier>(options.topics === undefined ? ["workers"] : ["workers", "topics"]),
    }),
    ...(options.graphs === undefined ? {} : { graphs: options.graphs }),
    tools,
    log,
    observers,
  });
  const actions = createRunActions(() => engine);
  const operations = createOperations(runtime, {
    store: createOperationStore(database),
    runIndex: createRunIndex(database),
    rowsOf: createRowsOf(OPERATION_PROJECTIONS.map(({ rows }) => rows)),
    observers: options.operationObservers ?? [],
    actions: options.wrapActions?.(actions) ?? actions,
    log,
  });
  await runtime.open();
  const engine: Engine = createEngine(runs, createFollowers(), {
    defaultRunTimeoutMs: null,
    maxExecutions: options.maxExecutions ?? null,
  });
  const { workers, peerDispatch, settled, isServed, close } = dispatch.open(runs.handOvers, callsBetween(id));
  dispatches.set(id, peerDispatch);
  rules.onChange(settled);
  const queueLimits = keepQueueLimits({
    store: queueStore,
    rules,
    handOvers: runs.handOvers,
    shards: runtime.shards,
    log,
  });
  const closeQueues = async (): Promise<void> => {
    await queueLimits.stop();
    await rules.stop();
  };
  const stopAll = async (): Promise<void> => {
    dispatches.delete(id);
    limitsHeard.delete(id);
    await closeQueues();
    await close();
    await limits.stop();
    await runs.stop();
    await runtime.stop();
  };
  limits.start(runs.limitedTasks, tellingFrom(id, options.tellsNobody === true));
  limitsHeard.set(id, limits);
  await options.beforeStart?.();
  await runtime.start(ttlMs);
  const bury = () => admin.journal.query("DELETE FROM orchestrator.instances WHERE instance_id = $1", [id]);
  let stopped: Promise<void> | null = null;
  return {
    id,
    runtime,
    engine,
    runs,
    operations,
    workers,
    limitLines: limits.lines,
    rules,
    isServed,
    queues: createQueues({ store: queueStore, changed: () => rules.refresh() }),
    peerDispatch,
    journal,
    leases,
    tools,
    lines,
    renewals: () => renewals,
    stop: () => {
      stopped ??= dead ? Promise.resolve() : stopAll();
      return stopped;
    },
    crash: async () => {
      dead = true;
      dispatches.delete(id);
      limitsHeard.delete(id);
      await Promise.all([close(), runs.stop(), closeQueues(), limits.stop()]);
      const ended = journal.die();
      for (const { timer } of runs.residence.residents.values()) if (timer !== null) clearTimeout(timer);
      await ended;
      await bury();
    },
    expire: async () => {
      await bury();
    },
  };
}
