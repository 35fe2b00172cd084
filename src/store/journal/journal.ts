/** The journal on PostgreSQL: connections that write batches, and the reads of the engine. */
import { invariant } from "../../base/errors.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import type {
  Journal,
  JournalWriter,
  Refusal,
  StartConflict,
  StartLookup,
  Transition,
} from "../../engine/ports/journal.ts";
import { CommitError } from "../../engine/ports/journal.ts";
import { requireSynchronousCommit } from "../sql/durability.ts";
import type { Database } from "../sql/pool.ts";
import type { SqlSession } from "../sql/sql.ts";
import { storeFailureOf } from "../sql/sqlstate.ts";
import { type AnyTable, createSortingStatements, isKeyed, type SortingStatements } from "./commit-statement.ts";
import { createDeletion, findDeleted } from "./deletions.ts";
import { type EncodedBatch, encodeSorting, encodeWhole, isPlain } from "./encode-batch.ts";
import { toRunHeader } from "./journal-rows.ts";
import {
  DROP_KEY,
  FIND_KEY,
  FIND_OPEN_KEY,
  FORGET_ANSWER,
  KEEP_ANSWER,
  LIST_CHILDREN,
  LIST_DUE,
  LIST_MOVING,
} from "./journal-sql.ts";
import { checkTransition, createRunLoader, loadHeader, loadTransitions, PAGE_TRANSITIONS } from "./load.ts";
import { createUnreadEnd, quarantine } from "./quarantine.ts";
import { holdUnread, judgeSuspects, nameSuspects } from "./suspects.ts";

/**
 * Creates the journal of `database` with the tables of its projections. Calls `headersWritten` after every batch that
 * wrote headers.
 */
export function createJournal(
  database: Database,
  tables: readonly AnyTable[],
  headersWritten: () => void = () => {},
): Journal {
  const sorting = createSortingStatements(tables);
  const deleteRun = createDeletion(tables);
  const endUnread = createUnreadEnd(tables);
  return {
    openWriter: (name) => openWriter(database, name, sorting, headersWritten),
    loadRun: createRunLoader(database),
    findHeader: async (runId) => {
      const row = await loadHeader(database, runId);
      return row === null ? null : toRunHeader(row);
    },
    nameSuspects: (leases, trials, passed, alone) => nameSuspects(database.journal, leases, trials, passed, alone),
    judgeSuspects: (leases) => judgeSuspects(database.journal, leases),
    holdUnread: (lease, runId, record) => holdUnread(database.journal, lease, runId, record),
    deleteRun: (lease, tenantId, runId) => deleteRun(database.journal, lease, tenantId, runId),
    findDeleted: (tenantId, runId) => findDeleted(database.reads, tenantId, runId),
    quarantine: (lease, runId) => quarantine(database.journal, lease, runId),
    endUnread: (lease, runId, record) => endUnread(database.journal, lease, runId, record),
    listMoving: async (shards) => {
      const { rows } = await database.reads.query<{ run_id: string; moving: boolean }>(LIST_MOVING, [shards]);
      return rows.map(({ run_id, moving }) => ({ runId: run_id, moving }));
    },
    listChildren: async (shards) => {
      const { rows } = await database.reads.query<{ run_id: string; parent_run_id: string }>(LIST_CHILDREN, [shards]);
      return rows.map((row) => ({ runId: row.run_id, parentRunId: row.parent_run_id }));
    },
    listDue: async (shards, until, after, limit) => {
      const { wakeAt = -1, runId = "" } = after ?? {};
      const { rows } = await database.reads.query<{ run_id: string; wake_at: number }>(LIST_DUE, [
        shards,
        until,
        limit,
        wakeAt,
        runId,
      ]);
      return rows.map((row) => ({ runId: row.run_id, wakeAt: row.wake_at }));
    },
    keepAnswer: async ({ tenantId, requestId, requestHash, runId }) => {
      const { count } = await database.journal.query(KEEP_ANSWER, [tenantId, requestId, runId, requestHash]);
      return count > 0;
    },
    forgetAnswer: async ({ tenantId, requestId, runId }) => {
      await database.journal.query(FORGET_ANSWER, [tenantId, requestId, runId]);
    },
    findConflict: (lookup) => findConflict(database, lookup),
    readEvents: async (tenantId, runId, afterSequence, limit) => {
      const header = await loadHeader(database, runId);
      if (header === null || header.tenant_id !== tenantId) return null;
      const { transitions } = await loadTransitions(database, header, afterSequence, Math.min(limit, PAGE_TRANSITIONS));
      let next = Math.min(transitions[0]?.sequence ?? 0, afterSequence + 1);
      for (const transition of transitions) {
        checkTransition(transition, next);
        next = transition.sequence + transition.count;
      }
      return transitions;
    },
  };
}

/** Reported by the trigger on `runs` if the flow version of a new run is gone; see migration 12. */
const FLOW_VERSION_CONSTRAINT = "runs_flow_version";

async function openWriter(
  database: Database,
  name: string,
  sorting: SortingStatements,
  headersWritten: () => void,
): Promise<JournalWriter> {
  let session: SqlSession | null = null;
  const drop = async (): Promise<void> => {
    const dropped = session;
    session = null;
    // A broken connection may fail to close; nothing in it needs saving.
    await dropped?.close().catch(() => {});
  };
  const connect = async (): Promise<SqlSession> => {
    // The plan is made while tables are small, and then cached. Without the second setting it may scan all runs to find
    // one, on a server whose settings make random disk reads expensive.
    const settings = { plan_cache_mode: "force_generic_plan", enable_seqscan: "off" };
    const opened = await database.openSession(`journal ${name}`, {}, settings);
    // The connection was lost while idle: the next batch opens a new one, and its outcome is known.
    opened.onLost(() => {
      if (session === opened) session = null;
    });
    if (!opened.pooled) await requireSynchronousCommit(opened);
    return opened;
  };
  return {
    commit: async (leases, transitions) => {
      try {
        session ??= await connect();
      } catch (error) {
        throw new CommitError("failed", error);
      }
      let batch: EncodedBatch;
      try {
        batch = isPlain(transitions) ? encodeWhole(leases, transitions) : encodeSorting(sorting, leases, transitions);
      } catch (error) {
        // A value that is not JSON, or too much data for one string. Bisecting the batch finds it.
        throw new CommitError("data", error);
      }
      failPoint("commit.before");
      try {
        let answer = await run(session, batch);
        // Nothing was written: at least one transition of the batch may not be written.
        if (answer.whole === false) answer = await run(session, encodeSorting(sorting, leases, transitions));
        if (transitions.some(({ start, header }) => start !== null || header !== null)) headersWritten();
        return { now: answer.now, refused: findRefused(transitions, answer) };
      } catch (error) {
        const failure = storeFailureOf(error);
        if (failure?.kind === "data")
          throw new CommitError(failure.constraint === FLOW_VERSION_CONSTRAINT ? "gone" : "data", error);
        await drop();
        if (failure === undefined || failure.outcomeUnknown) throw new CommitError("unknown", error);
        const slow = failure.kind === "timeout" || failure.kind === "overload";
        throw new CommitError(slow ? "slow" : "failed", error);
      }
    },
    close: drop,
  };
}

/**
 * Result of a commit statement. `whole` is set by the form that writes all or nothing, the other fields by the sorting
 * form.
 */
interface CommitAnswer {
  readonly now: number;
  readonly whole?: boolean;
  readonly held?: readonly number[] | null;
  /** Absent if everything was written. */
  readonly accepted?: readonly string[] | null;
}

async function run(session: SqlSession, { statement, values }: EncodedBatch): Promise<CommitAnswer> {
  const { rows } = await session.query<CommitAnswer>(statement, values);
  failPoint("commit.after");
  const [answer] = rows;
  invariant(answer, "a commit answers with one row");
  return answer;
}

function findRefused(transitions: readonly Transition[], { accepted, held }: CommitAnswer): Refusal[] {
  if (accepted === null || accepted === undefined) return [];
  const written = new Set(accepted);
  const ours = new Set(held);
  return transitions
    .filter((transition) => !written.has(transition.runId))
    .map((transition) => ({
      runId: transition.runId,
      why: !ours.has(transition.shard)
        ? "fenced"
        : transition.start !== null && isKeyed(transition.start)
          ? "taken"
          : "early",
    }));
}

interface KeyRow {
  readonly run_id: string;
  readonly request_hash: string;
  readonly void: boolean;
}

/**
 * Finds what a refused start collided with, checking request id, run id, and open run key, in this order. Returns null
 * if all are free by now. A refusal may leave void rows for its other keys; these are deleted. All other rows stay,
 * whether or not their run still exists.
 */
async function findConflict(database: Database, lookup: StartLookup): Promise<StartConflict | null> {
  const { tenantId } = lookup;
  for (const [kind, key] of [
    ["request", lookup.requestId],
    ["run", lookup.runId],
  ] as const) {
    if (key === "") continue;
    const { rows } = await database.reads.query<KeyRow>(FIND_KEY, [tenantId, kind, key]);
    const [row] = rows;
    if (row === undefined) continue;
    if (!row.void) return { by: kind, runId: row.run_id, requestHash: row.request_hash };
    await database.journal.query(DROP_KEY, [tenantId, kind, key, row.run_id]);
  }
  const { runId } = lookup;
  const isTaken = async (): Promise<boolean> =>
    (await loadHeader(database, runId)) !== null || (await findDeleted(database.reads, tenantId, runId)) !== null;
  if (runId !== "" && (await isTaken())) return { by: "run", runId, requestHash: "" };
  if (lookup.runKey === "") return null;
  const { rows } = await database.reads.query<{ run_id: string }>(FIND_OPEN_KEY, [
    tenantId,
    lookup.flowId,
    lookup.runKey,
  ]);
  return rows[0] === undefined ? null : { by: "run_key", runId: rows[0].run_id, requestHash: "" };
}
