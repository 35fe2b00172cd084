/** Builds the service from its parts, in the order in which they need each other, and takes it down in the reverse order. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Log } from "../base/log.ts";
import { armFailPoints } from "../base/process/fail-points.ts";
import { systemClock } from "../base/time/clock.ts";
import { longestStall } from "../config/check.ts";
import type { Config } from "../config/settings.ts";
import { createCluster } from "../engine/cluster.ts";
import { createEngine } from "../engine/engine.ts";
import { createFollowers } from "../engine/followers.ts";
import { createRowsOf } from "../engine/make-rows.ts";
import type { ApprovalIndex, Approvals } from "../engine/ports/approvals.ts";
import type { Cluster } from "../engine/ports/cluster.ts";
import type { GraphHost } from "../engine/ports/graphs.ts";
import type { RunControl } from "../engine/ports/run-control.ts";
import type { RunIndex } from "../engine/ports/run-index.ts";
import type { RunReader } from "../engine/ports/run-reader.ts";
import type { RunRelay, RunWatch } from "../engine/ports/run-watch.ts";
import { DatabaseClock } from "../engine/shard/db-clock.ts";
import { drainRuntime } from "../engine/shard/drain.ts";
import { JOURNAL_VERSION } from "../engine/shard/journal-format.ts";
import { startKeeper } from "../engine/shard/keeper.ts";
import { Runtime } from "../engine/shard/runtime.ts";
import type { RuntimeObserver } from "../engine/shard/runtime-parts.ts";
import { ALL_SERVED, SERVED } from "../flows/check/unserved.ts";
import { openCompilerProcess } from "../flows/graph/compiler-process.ts";
import type { FlowRegistry } from "../flows/ports/registry.ts";
import { createFlowRegistry } from "../flows/registry.ts";
import { openTemplates, type TemplateCatalogue } from "../flows/templates.ts";
import type { EmbeddedConnection } from "../store/embedded/embedded-postgres.ts";
import { createFlowStore } from "../store/flow-versions.ts";
import { createJournal } from "../store/journal/journal.ts";
import { keepPartitions } from "../store/journal/partitions.ts";
import { keepSetting } from "../store/kept-settings.ts";
import { openLeases } from "../store/leases.ts";
import { keepRunCounts } from "../store/run-counts.ts";
import { createRunIndex } from "../store/run-index.ts";
import { explainAccess } from "../store/sql/access.ts";
import { checkDurability } from "../store/sql/durability.ts";
import { runMigrations } from "../store/sql/migrate.ts";
import { type Database, openDatabase } from "../store/sql/pool.ts";
import { createAdapters } from "../tools/index.ts";
import { createToolCaller } from "../tools/path/caller.ts";
import type { ToolMetrics } from "../tools/path/observe-step.ts";
import { makeInstanceId } from "./instance-id.ts";
import { boundHeapGrowth } from "./processes/heap-growth.ts";
import { startWatchdog } from "./processes/watchdog.ts";
import { RUN_PROJECTIONS } from "./projections.ts";

/** The service without its ports: what `serve` puts an API in front of, and what the command line runs in process. */
export interface Core {
  readonly runControl: RunControl;
  readonly runReader: RunReader;
  readonly runWatch: RunWatch;
  readonly runIndex: RunIndex;
  readonly approvals: Approvals;
  readonly approvalIndex: ApprovalIndex;
  readonly cluster: Cluster;
  readonly runRelay: RunRelay;
  readonly flows: FlowRegistry;
  readonly templates: TemplateCatalogue;
  /** Key of page tokens and cursors; the same for all instances on this database. */
  readonly tokenKey: Uint8Array;
  readonly database: Database;
  /** What the store is, for people: `embedded PostgreSQL in ./data` or the host of the URL. */
  readonly store: string;
  /** Resolves when the runs that were open at the last stop are in hand again. */
  readonly adopted: Promise<void>;
  /** Begins no attempt any more and answers callers who wait; resolves when the attempts under way have ended and at the latest after `graceMs`. Before {@link Core.close}. */
  drain(graceMs: number): Promise<void>;
  /** Stops taking work, makes what was decided durable, gives the shards back and closes the store. Safe to call more than once. */
  close(): Promise<void>;
}

/** What composing may be told beside the configuration. */
export interface ComposeOptions {
  /** Where other instances reach this one, host:port. */
  readonly address: string;
  readonly observers: readonly RuntimeObserver[];
  readonly tools?: ToolMetrics;
  /** Ends the process when its event loop stands still: for a process that is the service and nothing else. */
  readonly watchdog?: boolean;
  /** Told how long callers waited for a connection. */
  readonly onPoolWait?: (pool: string, waitedMs: number) => void;
}

/** Opens the store and starts the engine. Errors: those of the store (DATA_FOLDER_…, STORE_…), CONFIG_INVALID. */
export async function composeCore(config: Config, log: Log, options: ComposeOptions): Promise<Core> {
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      for (const closer of closers.reverse()) {
        await closer().catch((error: unknown) => log.warn("a part did not close in good order", { error }));
      }
    })();
    return closing;
  };
  boundHeapGrowth();
  try {
    armForTests(config, log);
    const { database, store, alone, target } = await openStore(config, log, options, closers);
    await runMigrations(database, log).catch((error: unknown) => {
      const { databaseUrl } = config.store;
      throw databaseUrl === undefined ? error : explainAccess(error, databaseUrl);
    });
    await checkDurability(database.reads, log);
    const partitions = await keepPartitions(database, log);
    closers.push(() => partitions.stop());
    const counts = keepRunCounts(database, log);
    closers.push(() => counts.stop());
    const instanceId = config.engine.instanceId ?? makeInstanceId();
    const limitMs = Math.min(config.engine.maxLoopStall, longestStall(config.engine.leaseTtl));
    if (options.watchdog === true && limitMs > 0) {
      const pretty = config.log.format === "pretty" || (config.log.format === "auto" && process.stdout.isTTY === true);
      closers.push(startWatchdog({ limitMs, instanceId, target, pretty, log }));
    }
    const { leases, shards } = await openLeases(database, {
      instanceId,
      address: options.address,
      ttlMs: config.engine.leaseTtl,
      shards: config.engine.shards,
      alone,
      reads: JOURNAL_VERSION,
    });
    const compiler = openCompilerProcess();
    closers.push(() => compiler.close());
    const graphs = await openGraphs(config, database, log, closers);
    const loaded = new Set(graphs?.names());
    const flows = createFlowRegistry(createFlowStore(database), compiler, {
      graphs: loaded,
      // A test of the engine may use what nothing serves yet.
      served: config.testing.enabled ? ALL_SERVED : SERVED,
    });
    const templates = await openTemplates(templatesFolder(config));
    for (const { file, error } of templates.refused) log.warn("a template is left out", { file, error: error.message });
    const tokenKey = await keepSetting(database, "token_key", () => randomBytes(32).toString("base64"));
    const tools = createToolCaller({
      adapters: createAdapters({
        http: {
          policy: { allowPrivate: false, allow: config.http.allow },
          clock: systemClock,
          maxResponseBytes: config.http.maxResponseBytes,
          maxRedirects: config.http.maxRedirects,
        },
        ...(graphs === undefined ? {} : { graphs }),
      }),
      policies: {
        failuresToOpen: config.tools.breakerFailures,
        openMs: config.tools.breakerOpen,
        maxOpenMs: config.tools.breakerMaxOpen,
        maxConcurrent: config.tools.maxConcurrent,
        maxQueued: config.tools.maxQueued,
      },
      log,
      clock: systemClock,
      ...(options.tools === undefined ? {} : { metrics: options.tools }),
    });
    closers.push(() => tools.close());
    const runtime = new Runtime({
      journal: createJournal(
        database,
        RUN_PROJECTIONS.map(({ table }) => table),
        counts.touch,
      ),
      rowsOf: createRowsOf(RUN_PROJECTIONS.map(({ rows }) => rows)),
      leases,
      flows,
      graphs: loaded,
      tools,
      clock: new DatabaseClock(systemClock),
      log,
      shards,
      lanes: config.engine.lanes,
      defaultTaskTimeoutMs: config.engine.defaultTaskTimeout === 0 ? null : config.engine.defaultTaskTimeout,
      observers: options.observers,
    });
    await runtime.open();
    const { defaultRunTimeout } = config.engine;
    const followers = createFollowers();
    const engine = createEngine(runtime, followers, {
      defaultRunTimeoutMs: defaultRunTimeout === 0 ? null : defaultRunTimeout,
    });
    const lists = createRunIndex(database);
    const keeper = await startKeeper(runtime, leases, config.engine.leaseTtl, log);
    closers.push(() => keeper.stop());
    return {
      runControl: engine,
      runReader: engine,
      runWatch: engine,
      runIndex: lists,
      approvals: engine,
      approvalIndex: lists,
      cluster: createCluster(runtime),
      runRelay: followers,
      flows,
      templates,
      tokenKey: Buffer.from(tokenKey, "base64"),
      database,
      store,
      adopted: keeper.adopted,
      drain: async (graceMs) => void (await drainRuntime(runtime, keeper, graceMs)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Graphs of the user's modules; nothing of LangGraph is loaded when there are none. */
async function openGraphs(
  config: Config,
  database: Database,
  log: Log,
  closers: (() => Promise<void>)[],
): Promise<GraphHost | undefined> {
  if (config.graphs.modules.length === 0) return undefined;
  const { openGraphHost } = await import("../engine/graph/host.ts");
  const { createCheckpointStore } = await import("../store/checkpoints.ts");
  const { timeout, maxMemory, maxSteps, workers } = config.graphs;
  const graphs = await openGraphHost({
    modules: config.graphs.modules.map((module) => resolve(module)),
    limits: { timeoutMs: timeout, maxMemoryMb: Math.floor(maxMemory / 2 ** 20), maxSteps, maxWorkers: workers },
    checkpoints: createCheckpointStore(database.reads),
    log,
  });
  closers.push(() => graphs.close());
  log.info("graphs loaded", { graphs: graphs.names() });
  return graphs;
}

/** The user's folder of templates, or the one that comes with the service. */
function templatesFolder(config: Config): string {
  const own = resolve(config.templates.dir);
  return existsSync(own) ? own : fileURLToPath(new URL("../../templates", import.meta.url));
}

/** Arms the fail points of a crash test; config-check.ts has judged them. */
function armForTests({ testing }: Config, log: Log): void {
  if (testing.failPoints === undefined) return;
  armFailPoints(testing.failPoints);
  log.warn("fail points are armed: this process will break", { failPoints: testing.failPoints });
}

async function openStore(
  config: Config,
  log: Log,
  options: ComposeOptions,
  closers: (() => Promise<void>)[],
): Promise<{ database: Database; store: string; alone: boolean; target: string | EmbeddedConnection }> {
  const { databaseUrl, dataDir, readConnections, preparedStatements } = config.store;
  const pools = {
    log,
    readConnections,
    prepareStatements: preparedStatements,
    ...(options.onPoolWait === undefined ? {} : { onWait: options.onPoolWait }),
  };
  if (databaseUrl !== undefined) {
    const database = await openDatabase({ target: databaseUrl, ...pools });
    closers.push(() => database.close());
    return { database, store: `PostgreSQL at ${new URL(databaseUrl).host}`, alone: false, target: databaseUrl };
  }
  const { openEmbeddedPostgres } = await import("../store/embedded/embedded-postgres.ts");
  const embedded = await openEmbeddedPostgres({ folder: join(resolve(dataDir), "postgres"), log });
  closers.push(() => embedded.close());
  const database = await openDatabase({ target: embedded.connection, ...pools });
  closers.push(() => database.close());
  return { database, store: `embedded PostgreSQL in ${dataDir}`, alone: true, target: embedded.connection };
}
