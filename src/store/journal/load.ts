/**
 * Reads journals. Runs that are wanted at the same time are read together, in two statements: their headers, and the
 * transitions of those that are short. What is longer is read in pages, one run at a time.
 */
import { invariant } from "../../base/errors.ts";
import { parseStoredJson } from "../../base/json/json-stored.ts";
import { withCurrentRun } from "../../base/process/current-run.ts";
import { gatherCalls } from "../../base/time/gather-calls.ts";
import type { JournalRecord, StoredRun, StoredTransition } from "../../engine/ports/journal.ts";
import type { Database } from "../sql/pool.ts";
import { type HeaderRow, toRunHeader } from "./journal-rows.ts";
import { LOAD_HEADERS, LOAD_SHORT, LOAD_TRANSITIONS } from "./journal-sql.ts";

/** Runs that are read together. */
const MAX_RUNS = 64;

/** What is read of each of them: longer runs are read alone. */
const SHORT_TRANSITIONS = 32;
const SHORT_BYTES = 131_072;

/**
 * Maximum number of transitions per read, and of their bytes, which a single transition may exceed. Longer runs are
 * read in pages.
 */
export const PAGE_TRANSITIONS = 2_000;
const PAGE_BYTES = 8_388_608;

interface TransitionRow {
  readonly sequence: number;
  readonly record_count: number;
  readonly records: string;
  /** Transitions found; those beyond the byte limit are not returned. */
  readonly found: number;
}

type Place = Pick<HeaderRow, "run_id" | "run_day">;

/** What was read of a journal so far. */
interface Read {
  readonly records: JournalRecord[];
  /** Sequence of the last of them. */
  sequence: number;
  size: number;
}

/** Creates what reads whole runs; null: there is no such run. A damaged run is an error of its own call only. */
export function createRunLoader(database: Database): (runId: string) => Promise<StoredRun | null> {
  const load = gatherCalls((runIds: readonly string[]) => loadRuns(database, runIds), MAX_RUNS);
  return async (runId) => {
    const read = await load(runId);
    return read === null ? null : read();
  };
}

/** The header of a run; null if there is none. */
export async function loadHeader(database: Database, runId: string): Promise<HeaderRow | null> {
  const { rows } = await database.reads.query<HeaderRow>(LOAD_HEADERS, [[runId]]);
  return rows[0] ?? null;
}

/** A page of the transitions of a run. */
export async function loadTransitions(database: Database, place: Place, afterSequence: number, limit: number) {
  const values = [place.run_day, place.run_id, afterSequence, limit, PAGE_BYTES];
  const { rows } = await database.reads.query<TransitionRow>(LOAD_TRANSITIONS, values);
  const found = rows[0]?.found ?? 0;
  return { transitions: toTransitions(place.run_id, rows), isLast: found === rows.length && found < limit };
}

/**
 * Throws if a transition does not start where the previous one ends, or if its row claims a different number of
 * records. The records of a restored database that skip sequences say to which.
 */
export function checkTransition({ sequence, count, records }: StoredTransition, next: number): void {
  const [first] = records;
  const skips = (first?.type === "run.restored" || first?.type === "run.started") && first.sequence === sequence;
  invariant(sequence === next || (skips && sequence > next), `the journal has a gap at ${next}`);
  invariant(
    Array.isArray(records) && records.length === count,
    `the transition at ${next} does not hold ${count} records`,
  );
}

/** Reads the whole journal of an entity, after what was read of it, and checks it for gaps. */
export async function readJournal(
  database: Database,
  place: Place,
  read: Read = { records: [], sequence: 0, size: 0 },
): Promise<Readonly<Read>> {
  for (;;) {
    const page = await loadTransitions(database, place, read.sequence, PAGE_TRANSITIONS);
    addTransitions(read, page.transitions);
    if (page.isLast) return read;
  }
}

/** For each run null, or what makes the run: one that cannot be read keeps no other from being read. */
async function loadRuns(
  database: Database,
  runIds: readonly string[],
): Promise<readonly (null | (() => Promise<StoredRun>))[]> {
  const { rows: headers } = await database.reads.query<HeaderRow>(LOAD_HEADERS, [runIds]);
  const days = headers.map(({ run_day }) => run_day);
  const found = headers.map(({ run_id }) => run_id);
  const most = [SHORT_TRANSITIONS, SHORT_BYTES];
  const { rows } =
    found.length === 0
      ? { rows: [] }
      : await database.reads.query<TransitionRow & Place>(LOAD_SHORT, [days, found, ...most]);
  const journals = Map.groupBy(rows, ({ run_id }) => run_id);
  const runs = new Map(headers.map((header) => [header.run_id, header]));
  return runIds.map((runId) => {
    const header = runs.get(runId);
    if (header === undefined) return null;
    return () => toStoredRun(database, header, journals.get(runId) ?? []);
  });
}

/** The run, whose journal begins with `rows`. */
async function toStoredRun(database: Database, header: HeaderRow, rows: readonly TransitionRow[]): Promise<StoredRun> {
  const read: Read = { records: [], sequence: 0, size: 0 };
  addTransitions(read, toTransitions(header.run_id, rows));
  const isWhole = rows.length > 0 && rows.length === rows[0]?.found && rows.length < SHORT_TRANSITIONS;
  return {
    runId: header.run_id,
    shard: header.shard,
    day: header.run_day,
    header: toRunHeader(header),
    moving: header.moving,
    handedOut: header.handed_out,
    wakeAt: header.wake_at,
    ...(isWhole ? read : await readJournal(database, header, read)),
  };
}

function toTransitions(runId: string, rows: readonly TransitionRow[]): StoredTransition[] {
  return withCurrentRun(runId, () =>
    rows.map(({ sequence, record_count, records }) => ({
      sequence,
      count: record_count,
      size: records.length,
      records: parseStoredJson(records) as unknown as JournalRecord[],
    })),
  );
}

function addTransitions(read: Read, transitions: readonly StoredTransition[]): void {
  for (const transition of transitions) {
    read.size += transition.size;
    checkTransition(transition, read.sequence + 1);
    read.sequence = transition.sequence + transition.count - 1;
    // One at a time: a transition may have more records than a call can take arguments.
    for (const record of transition.records) read.records.push(record);
  }
}
