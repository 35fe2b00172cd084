/**
 * Traces of runs. A sampled run has its spans exported as its attempts end. One that is not sampled has them made from
 * its records when it ends, if it failed or was slow: from those that memory still has, or else from its journal.
 */
import { type TraceFacts, traceIdOf } from "../../base/traces/run-trace.ts";
import type { JournalRecord } from "../../engine/machine/records.ts";
import type { Run } from "../../engine/machine/run.ts";
import type { RunTraces } from "../../engine/ports/traces/run-traces.ts";
import type { RunObserver } from "../../engine/runs/observer.ts";
import { type EndedRun, KeptRecords } from "./kept-records.ts";
import { RunSpans } from "./run-spans.ts";
import type { Sampler } from "./sampler.ts";
import type { SpanSink } from "./span.ts";

export interface RunTracesParts {
  readonly sampler: Sampler;
  readonly sink: SpanSink;
  /** The type of a task by its path. */
  readonly typeOf: (run: Run, path: string) => string;
  /** A run that is not sampled ended badly, or late. */
  readonly rebuild: (ended: EndedRun) => void;
  /** When a run that ends well is late, milliseconds; 0: never. */
  readonly slowMs: number;
}

/** Creates the decision at the start, and the observer that does what follows from it. */
export function createRunTraces({ sampler, sink, typeOf, rebuild, slowMs }: RunTracesParts): RunTraces & RunObserver {
  // Forgotten with the run in memory: what is open then is found in its state.
  const folds = new WeakMap<Run, RunSpans>();
  const foldOf = (run: Run, isNew: boolean): RunSpans => {
    let fold = folds.get(run);
    if (fold === undefined) {
      const { state } = run;
      fold = new RunSpans(state, (path) => typeOf(run, path), isNew ? null : state.tasks);
      folds.set(run, fold);
    }
    return fold;
  };
  // Of runs that are not sampled.
  const kept = new KeptRecords();
  const isLate = (end: JournalRecord, { createdAt }: Run["state"]): boolean =>
    end.type === "run.failed" || end.type === "run.timed_out" || (slowMs > 0 && end.at - createdAt > slowMs);
  return {
    isSampled: (run, caller) => sampler(traceIdOf(run), caller?.traceparent),
    committed(run, records, firstSequence) {
      const trace: TraceFacts | undefined = run.state.facts.trace;
      if (trace?.sampled === undefined) return;
      if (trace.sampled) {
        const fold = foldOf(run, records[0]?.type === "run.started");
        for (const record of records) for (const span of fold.add(record)) sink.end(span);
        return;
      }
      const end = records.find(isEnd);
      if (end === undefined) kept.add(run, records, firstSequence);
      else if (isLate(end, run.state)) rebuild(kept.end(run, records, firstSequence));
    },
  };
}

function isEnd({ type }: JournalRecord): boolean {
  switch (type) {
    case "run.completed":
    case "run.failed":
    case "run.canceled":
    case "run.timed_out":
    case "run.terminated":
      return true;
    default:
      return false;
  }
}
