/** What the database holds after a campaign. */
import { silentLog } from "../../../src/base/log.ts";
import type { JournalRecord } from "../../../src/engine/machine/records.ts";
import type { EmbeddedConnection } from "../../../src/store/embedded/embedded-postgres.ts";
import { openDatabase } from "../../../src/store/sql/pool.ts";
import { findMiscounts, type Miscount } from "../../support/run-counts.ts";

/** A row of the journal. */
export interface DumpedTransition {
  readonly sequence: number;
  readonly record_count: number;
  readonly records: readonly JournalRecord[];
}

/** A run with its journal. */
export interface DumpedRun {
  readonly run_id: string;
  readonly flow_id: string;
  readonly state: string;
  readonly sequence: number;
  readonly moving: boolean;
  readonly wake_at: number | null;
  readonly ended_at: number | null;
  readonly parent_run_id: string;
  readonly transitions: readonly DumpedTransition[];
}

/** Everything that the checker looks at. */
export interface Dump {
  readonly runs: readonly DumpedRun[];
  /** Journal rows whose run has no header. */
  readonly orphans: number;
  readonly starts: readonly { readonly kind: string; readonly key: string; readonly run_id: string }[];
  readonly approvals: readonly {
    readonly run_id: string;
    readonly approval_id: number;
    readonly task_path: string;
    readonly state: string;
  }[];
  readonly deadLetters: readonly { readonly run_id: string; readonly task_path: string; readonly attempts: number }[];
  readonly outbox: readonly { readonly run_id: string; readonly task_path: string; readonly topic: string }[];
  readonly miscounts: readonly Miscount[];
}

/** Reads the database. */
export async function readDump(target: EmbeddedConnection): Promise<Dump> {
  const database = await openDatabase({ target, log: silentLog, timeouts: { statementMs: 60_000, answerMs: 70_000 } });
  const read = async <Row extends object>(text: string): Promise<Row[]> => (await database.reads.query<Row>(text)).rows;
  try {
    const headers = await read<Omit<DumpedRun, "transitions">>(
      "SELECT run_id, flow_id, state, sequence, moving, wake_at, ended_at, parent_run_id FROM orchestrator.runs ORDER BY created_at",
    );
    const transitions = await read<{ run_id: string; sequence: number; record_count: number; records: string }>(
      "SELECT run_id, sequence, record_count, records FROM orchestrator.journal ORDER BY run_id, sequence",
    );
    const byRun = Map.groupBy(transitions, (transition) => transition.run_id);
    const runs = headers.map((header) => ({
      ...header,
      transitions: (byRun.get(header.run_id) ?? []).map((transition) => ({
        sequence: transition.sequence,
        record_count: transition.record_count,
        records: JSON.parse(transition.records) as JournalRecord[],
      })),
    }));
    for (const { run_id } of headers) byRun.delete(run_id);
    return {
      runs,
      orphans: byRun.size,
      starts: await read("SELECT kind, key, run_id FROM orchestrator.starts"),
      approvals: await read("SELECT run_id, approval_id, task_path, state FROM orchestrator.approvals"),
      deadLetters: await read("SELECT run_id, task_path, attempts FROM orchestrator.dead_letters"),
      outbox: await read("SELECT run_id, task_path, topic FROM orchestrator.outbox"),
      miscounts: await findMiscounts(database.reads),
    };
  } finally {
    await database.close();
  }
}

/** How many runs are open, by state. */
export async function countOpen(target: EmbeddedConnection): Promise<readonly { state: string; count: number }[]> {
  const database = await openDatabase({ target, log: silentLog });
  try {
    const { rows } = await database.reads.query<{ state: string; count: number }>(
      "SELECT state, count(*) AS count FROM orchestrator.runs WHERE ended_at IS NULL GROUP BY state",
    );
    return rows;
  } finally {
    await database.close();
  }
}

/** Suspects with a death that have not been tried again. */
export async function countMarked(target: EmbeddedConnection): Promise<number> {
  const database = await openDatabase({ target, log: silentLog });
  try {
    const { rows } = await database.reads.query<{ count: number }>(
      "SELECT count(*) AS count FROM orchestrator.suspects WHERE deaths > 0",
    );
    return rows[0]?.count ?? 0;
  } finally {
    await database.close();
  }
}
