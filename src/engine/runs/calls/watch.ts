/** Watches of single runs: a snapshot or a resume, then every record once and in order, then the end. */
import { toError } from "../../../base/errors.ts";
import { foldJournal } from "../../machine/apply.ts";
import { isEndRecord } from "../../machine/control/end-records.ts";
import type { JournalRecord } from "../../machine/records.ts";
import { copyState, isTerminalPhase } from "../../machine/state.ts";
import type { RunEventView } from "../../ports/run-reader.ts";
import type { NoteView, WatchFrame } from "../../ports/run-watch.ts";
import { watchResident } from "../../shard/resident.ts";
import type { Runs } from "../runs.ts";
import { readRun, throwUnreadable } from "../unreadable.ts";

/** Most records that a reader can be behind before it is disconnected. */
const MAX_WATCH_BACKLOG = 10_000;

/** Most notes that wait for a reader; it misses those that are more. */
const MAX_NOTES = 500;

/** Events per read of the journal while a watch catches up. */
const PAGE = 500;

/** How often the watch of a run on another instance reads the journal. */
const POLL_MS = 1_000;

/** What waits for the readers of watches: one list each. */
export type WatchQueues = Set<{ readonly length: number }>;

/**
 * Watches a run, starting with a snapshot if `afterSequence` is null. Records come from the journal until it is read
 * completely, then live. Throws WATCH_TOO_SLOW with the last sequence if the reader falls behind. With `withNotes`, it
 * has the notes of the run of this moment, if the run is here.
 */
export async function* watchRun(
  { residence, journal, notes }: Pick<Runs, "residence" | "journal" | "notes">,
  tenantId: string,
  runId: string,
  afterSequence: number | null,
  signal: AbortSignal,
  withNotes: boolean,
  queues: WatchQueues,
): AsyncGenerator<WatchFrame> {
  const queue: (RunEventView | NoteView)[] = [];
  let noted = 0;
  let lost = 0;
  let wake: (() => void) | null = null;
  let overflow = false;
  const watcher = (records: readonly JournalRecord[], firstSequence: number): void => {
    if (queue.length - noted + records.length > MAX_WATCH_BACKLOG) overflow = true;
    else
      for (let index = 0; index < records.length; index += 1) {
        const record = records[index];
        if (record !== undefined) queue.push({ runId, sequence: firstSequence + index, record });
      }
    wake?.();
  };
  const onNote = (view: NoteView | null): void => {
    if (view === null || noted >= MAX_NOTES) lost += 1;
    else {
      noted += 1;
      queue.push(view);
    }
    wake?.();
  };
  const stopNotes = withNotes ? notes.listen(runId, onNote) : null;
  const onAbort = (): void => wake?.();
  signal.addEventListener("abort", onAbort);
  // Subscribe before reading the journal, so that no record is missed. A run that is not in memory here (moved,
  // unknown, or the store is away) is read from the journal alone, which reports what cannot be read.
  const resident = await residence.open(runId).catch(() => null);
  if (resident !== null) watchResident(resident, watcher);
  queues.add(queue);
  try {
    let sequence = afterSequence ?? 0;
    if (afterSequence === null) {
      const stored = await readRun(runId, () => journal.loadRun(runId)).catch((error) =>
        throwUnreadable(journal, tenantId, runId, error),
      );
      if (stored === null || stored.header.tenantId !== tenantId) throw toError("RUN_NOT_FOUND", { runId });
      const state = await readRun(runId, () => foldJournal(runId, stored.records));
      sequence = state.sequence;
      yield { type: "snapshot", state: copyState(state) };
      if (isTerminalPhase(state.phase)) {
        yield { type: "end", state };
        return;
      }
    }
    while (!signal.aborted) {
      const transitions = await journal.readEvents(tenantId, runId, sequence, PAGE);
      if (transitions === null) throw toError("RUN_NOT_FOUND", { runId });
      let ended = false;
      for (const transition of transitions) {
        for (let index = 0; index < transition.records.length; index += 1) {
          const record = transition.records[index];
          if (record === undefined || transition.sequence + index <= sequence) continue;
          sequence = transition.sequence + index;
          yield { type: "event", event: { runId, sequence, record } };
          ended = isEndRecord(record);
        }
      }
      if (transitions.length > 0 && !ended) continue;
      while (!ended && !signal.aborted) {
        if (overflow) throw toError("WATCH_TOO_SLOW", { cursor: sequence });
        if (lost > 0 && queue.length > 0) {
          const lostCount = lost;
          lost = 0;
          // Something follows each gap: while a task floods the watch, there are always more.
          yield { type: "gap", lostCount };
        }
        const event = queue.shift();
        if (event !== undefined && "note" in event) {
          noted -= 1;
          yield { type: "note", view: event };
          continue;
        }
        if (event === undefined) {
          if (resident === null || resident.gone) {
            await pause(signal, POLL_MS);
            break;
          }
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = null;
          continue;
        }
        if (event.sequence <= sequence) continue;
        sequence = event.sequence;
        yield { type: "event", event };
        ended = isEndRecord(event.record);
      }
      if (!ended) continue;
      const stored = await journal.loadRun(runId);
      if (stored !== null) yield { type: "end", state: await readRun(runId, () => foldJournal(runId, stored.records)) };
      return;
    }
  } finally {
    resident?.watchers?.delete(watcher);
    stopNotes?.();
    queues.delete(queue);
    signal.removeEventListener("abort", onAbort);
  }
}

function pause(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
