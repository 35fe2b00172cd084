/** The configured database after a restore from a backup, for commands that serve nothing. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fail } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/settings.ts";
import { foldJournal } from "../engine/machine/apply.ts";
import { idempotencyKeyOf } from "../engine/machine/paths.ts";
import type { TaskState } from "../engine/machine/state.ts";
import { checkReads } from "../engine/runs/checked-journal.ts";
import { JOURNAL_VERSION } from "../engine/shard/ownership/journal-format.ts";
import { createJournal } from "../store/journal/journal.ts";
import { finishRestore, listRunsInMotion, type RestoreFacts, readRestoreFacts } from "../store/restores.ts";
import { createParts } from "./parts/parts.ts";
import { openSchema, requireSchema } from "./parts/store.ts";

/** Runs that are read at the same time. */
const PAGE = 64;

/** A task whose last attempt was under way at the backup: its effect may happen once more, or twice. */
export interface TaskUnderWay {
  readonly runId: string;
  readonly tenantId: string;
  readonly flowId: string;
  /** Path of the task; empty: the run cannot be read, and `problem` says why. */
  readonly task: string;
  readonly state: TaskState["state"] | "";
  readonly attempt: number;
  readonly startedAt: number;
  /** The session or topic that has the task; empty: an instance made the attempt itself. */
  readonly handedTo: string;
  readonly idempotencyKey: string;
  readonly problem: string;
}

/** A restored database. */
export interface RestoredDatabase {
  /**
   * What the database knows about the moment of the backup. `aliveAt` is the last time at which an instance is known to
   * have been alive, milliseconds since 1970; null: none was running.
   */
  facts(): Promise<Omit<RestoreFacts, "expiresAt"> & { readonly aliveAt: number | null }>;
  /** Tasks that were under way at the backup, by run. */
  tasksUnderWay(): Promise<readonly TaskUnderWay[]>;
  /** Lets the service go on; returns how many open runs were told. Error: RESTORE_INSTANCE_ALIVE. */
  finish(by: string): Promise<number>;
}

/**
 * Opens the database for the time of `work`, and changes nothing by that. Errors: DATA_FOLDER_…, STORE_…; STORE_TOO_OLD
 * if the schema is not up to date.
 */
export async function withRestoredDatabase<T>(
  config: Config,
  log: Log,
  work: (database: RestoredDatabase) => Promise<T>,
): Promise<T> {
  const parts = createParts(log);
  try {
    requireDataFolder(config);
    const { opened, schema } = await openSchema(config, log, parts);
    await requireSchema(schema);
    const { database } = opened;
    const journal = checkReads(createJournal(database, []));
    return await work({
      facts: async () => {
        const { expiresAt, ...facts } = await readRestoreFacts(database.reads);
        return { ...facts, aliveAt: expiresAt === null ? null : expiresAt - config.engine.leaseTtl };
      },
      tasksUnderWay: async () => {
        const tasks: TaskUnderWay[] = [];
        for (let after = ""; ; ) {
          const ids = await listRunsInMotion(database.reads, after, PAGE);
          const found = await Promise.all(
            ids.map(async (runId) => {
              try {
                const stored = await journal.loadRun(runId);
                return stored === null ? [] : tasksOf(runId, stored.records);
              } catch (error) {
                return [unreadable(runId, error)];
              }
            }),
          );
          for (const one of found) tasks.push(...one);
          const last = ids.at(-1);
          if (last === undefined || ids.length < PAGE) return tasks;
          after = last;
        }
      },
      finish: (by) => finishRestore(database, by, JOURNAL_VERSION),
    });
  } finally {
    await parts.close();
  }
}

/** The embedded server would make a folder that is missing. */
function requireDataFolder({ store: { databaseUrl, dataDir } }: Config): void {
  const folder = join(resolve(dataDir), "postgres");
  if (databaseUrl === undefined && !existsSync(folder))
    fail("DATA_FOLDER_CORRUPT", { folder, problem: "there is no database in it" });
}

function tasksOf(runId: string, records: Parameters<typeof foldJournal>[1]): TaskUnderWay[] {
  const { tenantId, flowId, tasks } = foldJournal(runId, records);
  return [...tasks.values()].filter(isUnderWay).map((task) => ({
    ...{ runId, tenantId, flowId, task: task.path, state: task.state, attempt: task.attempt },
    ...{ startedAt: task.startedAt, handedTo: task.handedTo ?? "", problem: "" },
    idempotencyKey: idempotencyKeyOf(runId, task.path, task.generation),
  }));
}

/** The attempt has begun, or somebody else has the task. */
function isUnderWay({ state, handedTo, group }: TaskState): boolean {
  return group === null && (state === "RUNNING" || handedTo !== null);
}

function unreadable(runId: string, error: unknown): TaskUnderWay {
  return {
    ...{ runId, tenantId: "", flowId: "", task: "", state: "" as const, attempt: 0, startedAt: 0 },
    ...{ handedTo: "", idempotencyKey: "", problem: error instanceof Error ? error.message : String(error) },
  };
}
