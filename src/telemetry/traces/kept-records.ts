/**
 * Records of runs that may be told at their end, so that no journal is read for them: of the newest runs that have not
 * ended, each from its first record on, as long as there are few. They are forgotten with the run in memory, so that
 * what is large in them is there once: in the state of the run, too.
 */
import type { JournalRecord } from "../../engine/machine/records.ts";
import type { Run } from "../../engine/machine/run.ts";

/** A run that has ended, with its records from `firstSequence` to the last; those before are in the journal. */
export interface EndedRun {
  readonly run: Run;
  readonly records: readonly JournalRecord[];
  /** From 1. */
  readonly firstSequence: number;
}

/** Most records of a run, and most runs. */
const MOST_RECORDS = 64;
const MOST_RUNS = 2_048;

/** Keeps records. */
export class KeptRecords {
  readonly #records = new WeakMap<Run, JournalRecord[]>();
  readonly #newest: WeakRef<Run>[] = [];
  #next = 0;

  /** Records of a run that has not ended became durable. */
  add(run: Run, records: readonly JournalRecord[], firstSequence: number): void {
    if (firstSequence === 1 && records.length <= MOST_RECORDS) {
      this.#makeRoom(run);
      this.#records.set(run, [...records]);
      return;
    }
    const before = this.#records.get(run);
    if (before === undefined) return;
    const isNext = before.length === firstSequence - 1;
    if (isNext && before.length + records.length <= MOST_RECORDS) before.push(...records);
    else this.#records.delete(run);
  }

  /** What is known of a run that ends with these records: all, or them alone. */
  end(run: Run, records: readonly JournalRecord[], firstSequence: number): EndedRun {
    const before = this.#records.get(run);
    if (before === undefined || before.length !== firstSequence - 1) return { run, records, firstSequence };
    return { run, records: [...before, ...records], firstSequence: 1 };
  }

  #makeRoom(run: Run): void {
    const oldest = this.#newest[this.#next]?.deref();
    if (oldest !== undefined) this.#records.delete(oldest);
    this.#newest[this.#next] = new WeakRef(run);
    this.#next = (this.#next + 1) % MOST_RUNS;
  }
}
