/**
 * Spans of runs that were not sampled, made when they end: at most so many runs a second, one after the other, after
 * whatever waits for the end of the run. What comes faster is not exported, nothing of it is read, and it is counted;
 * `orchestrator runs trace` shows it.
 */
import { setImmediate as afterOthers } from "node:timers/promises";
import type { Log } from "../../base/log.ts";
import type { JournalRecord } from "../../engine/machine/records.ts";
import type { Run } from "../../engine/machine/run.ts";
import type { EndedRun } from "./kept-records.ts";
import { RunSpans } from "./run-spans.ts";
import type { SpanSink } from "./span.ts";

export interface RebuildsParts {
  readonly sink: SpanSink;
  readonly typeOf: (run: Run, path: string) => string;
  /** The records of a run up to this sequence, in parts. */
  readonly read: (run: Run, lastSequence: number) => AsyncIterable<readonly JournalRecord[]>;
  readonly count: (result: "rebuilt" | "skipped" | "failed") => void;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Most runs a second. */
const MOST_PER_SECOND = 50;

/** Creates what exports such a run. It returns at once. */
export function createRebuilds({ sink, typeOf, read, count, log, now }: RebuildsParts): (ended: EndedRun) => void {
  const waiting: EndedRun[] = [];
  let isBusy = false;
  let second = 0;
  let inSecond = 0;

  const rebuild = async ({ run, records, firstSequence }: EndedRun): Promise<void> => {
    try {
      const fold = new RunSpans(run.state, (path) => typeOf(run, path));
      const add = (some: readonly JournalRecord[]): void => {
        for (const record of some) for (const span of fold.add(record)) sink.end(span);
      };
      if (firstSequence > 1) for await (const some of read(run, firstSequence - 1)) add(some);
      add(records);
      count("rebuilt");
    } catch (error) {
      // The store is away, or the run was deleted meanwhile.
      count("failed");
      log.debug("a trace could not be made from its journal", { runId: run.state.runId, error });
    }
  };
  const work = async (): Promise<void> => {
    isBusy = true;
    while (waiting.length > 0) {
      await afterOthers();
      const next = waiting.shift();
      if (next !== undefined) await rebuild(next);
    }
    isBusy = false;
  };
  return (ended) => {
    const current = Math.floor(now() / 1_000);
    if (current !== second) {
      second = current;
      inSecond = 0;
    }
    if (inSecond >= MOST_PER_SECOND || waiting.length >= MOST_PER_SECOND) {
      count("skipped");
      return;
    }
    inSecond += 1;
    waiting.push(ended);
    if (!isBusy) void work();
  };
}
