/** Traces of runs, as far as the engine takes part in them: what a start decides for the whole run. */
import type { TracedRun } from "../../../base/traces/run-trace.ts";
import type { TraceContext } from "../../../base/traces/trace-context.ts";

/** Decides at the start of a run what its spans and those of everybody it calls depend on. Never throws. */
export interface RunTraces {
  /** Whether the run is sampled; `caller` is the position that its start came with. */
  isSampled(run: TracedRun, caller: TraceContext | null): boolean;
}
