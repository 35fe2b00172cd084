/**
 * Spans of runs that were not sampled, from their journals: at most so many runs a second, one after the other. What
 * comes faster is not exported, and counted; `orchestrator runs trace` shows it.
 */
import type { Log } from "../../base/log.ts";
import type { JournalRecord } from "../../engine/machine/records.ts";
import type { Run } from "../../engine/machine/run.ts";
import { RunSpans } from "./run-spans.ts";
import type { SpanSink } from "./span.ts";

export interface RebuildsParts {
  readonly sink: SpanSink;
  readonly typeOf: (run: Run, path: string) => string;
  /** The records of a run, in parts. */
  readonly read: (run: Run) => AsyncIterable<readonly JournalRecord[]>;
  readonly count: (result: "rebuilt" | "skipped" | "failed") => void;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Most runs a second. */
const MOST_PER_SECOND = 50;

/** Creates what exports such a run. It returns at once. */
export function createRebuilds({ sink, typeOf, read, count, log, now }: RebuildsParts): (run: Run) => void {
  const waiting: Run[] = [];
  let isBusy = false;
  let second = 0;
  let inSecond = 0;

  const rebuild = async (run: Run): Promise<void> => {
    try {
      const fold = new RunSpans(run.state, (path) => typeOf(run, path));
      for await (const records of read(run))
        for (const record of records) for (const span of fold.add(record)) sink.end(span);
      count("rebuilt");
    } catch (error) {
      // The store is away, or the run was deleted meanwhile.
      count("failed");
      log.debug("a trace could not be made from its journal", { runId: run.state.runId, error });
    }
  };
  const work = async (): Promise<void> => {
    isBusy = true;
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) await rebuild(run);
    isBusy = false;
  };
  return (run) => {
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
    waiting.push(run);
    if (!isBusy) void work();
  };
}
