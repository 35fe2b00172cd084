/** The runs of an instance: their kind on the shard runtime, and what calls and lists need from it. */
import type { Callbacks } from "../ports/dispatch/callbacks.ts";
import type { HandOvers, Takers } from "../ports/dispatch/hand-overs.ts";
import type { GrantTaker, JournaledSlots } from "../ports/dispatch/limits.ts";
import type { Journal } from "../ports/journal.ts";
import type { RunTraces } from "../ports/traces/run-traces.ts";
import type { Runtime } from "../shard/runtime.ts";
import { checkReads } from "./checked-journal.ts";
import type { Notes } from "./dispatch/notes.ts";
import type { RunObserver } from "./observer.ts";
import { createRunKind, type RunKind, type RunKindParts } from "./run-kind.ts";
import type { RunResidence } from "./run-resident.ts";
import type { Family } from "./work/family.ts";

/** What runs need besides the runtime. */
export interface RunsParts
  extends Pick<
    RunKindParts,
    | "rowsOf"
    | "flows"
    | "tools"
    | "takers"
    | "agents"
    | "outboxGates"
    | "waitingTasks"
    | "limitLines"
    | "attemptMeter"
    | "serviceLimits"
    | "taskGate"
    | "sessionTimeoutMs"
    | "tokens"
    | "publicUrl"
    | "firstSequence"
    | "graphs"
    | "defaultTaskTimeoutMs"
    | "log"
  > {
  readonly journal: Journal;
  readonly observers: readonly RunObserver[];
  /** Absent or null: runs are not traced. */
  readonly traces?: RunTraces | null;
}

export interface Runs
  extends Pick<Runtime, "clock" | "shards" | "submission" | "lifecycle" | "probation">,
    Pick<RunsParts, "flows" | "graphs" | "publicUrl" | "firstSequence"> {
  readonly residence: RunResidence;
  /** Null: runs are not traced. */
  readonly traces: RunTraces | null;
  /** With validation: damaged runs are RUN_UNREADABLE. */
  readonly journal: Journal;
  readonly family: Family;
  /** What the holders of handed-out tasks have to say. */
  readonly handOvers: HandOvers;
  /** Whether anybody, here or at another instance, can do the tasks of a line. */
  readonly isServed: Takers["isServed"];
  /** What attempts tell those who watch. */
  readonly notes: Notes;
  readonly callbacks: Callbacks;
  /** What is given slots of limits. */
  readonly limitedTasks: GrantTaker & JournaledSlots;
  readonly activeTasks: RunKind["activeTasks"];
  /** Runs that are being deleted: none with their ids may start until their tombstones can be seen. */
  readonly erasing: Set<string>;
  /** Adds an observer of what becomes durable from now on. */
  observe(observer: RunObserver): void;
  /** Tells observers that a run was erased at `at`. */
  deleted: NonNullable<RunObserver["deleted"]>;
  /** Ends what runs beside the runtime. */
  stop(): Promise<void>;
}

export function createRuns(runtime: Runtime, parts: RunsParts): Runs {
  const { clock, shards, submission, lifecycle, trials, probation } = runtime;
  const journal = checkReads(parts.journal);
  const observers = [...parts.observers];
  let created: RunKind | undefined;
  const residence: RunResidence = runtime.addKind((own) => {
    const runtimeParts = { clock, shards, submission, lifecycle, trials, probation };
    const run = createRunKind({ ...parts, ...runtimeParts, residence: own, journal, observers });
    created = run;
    return run.kind;
  });
  if (created === undefined) throw new Error("the run kind was not created");
  const { family, reports, liveness, notes, callbacks, carriers, limitedTasks, activeTasks } = created;
  return {
    handOvers: reports,
    isServed: (line) => carriers.isServed(line),
    notes,
    callbacks,
    limitedTasks,
    activeTasks,
    erasing: new Set(),
    stop: () => liveness.stop(),
    ...{ clock, shards, submission, lifecycle, probation, residence, journal, family },
    flows: parts.flows,
    traces: parts.traces ?? null,
    publicUrl: parts.publicUrl,
    ...(parts.firstSequence === undefined ? {} : { firstSequence: parts.firstSequence }),
    ...(parts.graphs === undefined ? {} : { graphs: parts.graphs }),
    observe: (observer) => {
      observers.push(observer);
    },
    deleted: (header, at) => {
      for (const observer of observers) observer.deleted?.(header, at);
    },
  };
}
