/** Runs as a kind of entity of the shard runtime. */
import { toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import { markOf } from "../../tasks/addresses.ts";
import type { TaskTokens } from "../dispatch/tokens.ts";
import type { JournalRecord } from "../machine/records.ts";
import type { Run } from "../machine/run.ts";
import { advance, type Surroundings } from "../machine/settle.ts";
import type { Callbacks } from "../ports/dispatch/callbacks.ts";
import type { Takers, WaitingTaskStore } from "../ports/dispatch/hand-overs.ts";
import type { GrantTaker, JournaledSlots, LimitLines } from "../ports/dispatch/limits.ts";
import type { TaskGate } from "../ports/gate/task-gate.ts";
import type { Journal } from "../ports/journal.ts";
import type { AttemptMeter } from "../ports/models/attempts.ts";
import type { RowsOf } from "../ports/projections.ts";
import type { ServiceLimits } from "../ports/routing/services.ts";
import type { ToolCaller } from "../ports/tools.ts";
import type { Kind, Outside } from "../shard/kind.ts";
import { retryUntil } from "../shard/retry-until.ts";
import type { Runtime } from "../shard/runtime.ts";
import { ActiveTasks } from "./active-tasks.ts";
import { RunCallbacks } from "./dispatch/callbacks.ts";
import { Carriers } from "./dispatch/carriers.ts";
import { Checkpoints } from "./dispatch/checkpoints.ts";
import { HandOutTable } from "./dispatch/hand-out-table.ts";
import { HandOuts } from "./dispatch/hand-outs.ts";
import { Liveness } from "./dispatch/liveness.ts";
import { Notes } from "./dispatch/notes.ts";
import { type OutboxCarrier, OutboxGate, type OutboxGates } from "./dispatch/outbox-gate.ts";
import { Reports } from "./dispatch/reports.ts";
import { ReservedSlots } from "./dispatch/reserved-slots.ts";
import { Topics } from "./dispatch/topics.ts";
import type { RunObserver } from "./observer.ts";
import { createRunWork, type RunResidence, type RunTypes } from "./run-resident.ts";
import { RUN_RULES } from "./run-rules.ts";
import { createRunStore, createRunSuspects } from "./run-store.ts";
import { createTransition, firstSequenceOf } from "./transitions.ts";
import { Attempts } from "./work/attempts.ts";
import { Children } from "./work/children.ts";
import { CountedAttempts } from "./work/counted-attempts.ts";
import { Effects } from "./work/effects.ts";
import { Family } from "./work/family.ts";
import { LimitedTasks } from "./work/limited-tasks.ts";

const NO_AGENTS: Takers = {
  isOpen: true,
  reserve: () => null,
  waits: () => {},
  look: () => {},
  isServed: () => false,
};

/** Pause before rows that a commit had locked are read again, milliseconds. */
const AGAIN_MS = 50;

export interface RunKindParts
  extends Pick<Runtime, "clock" | "shards" | "submission" | "lifecycle" | "trials" | "probation"> {
  readonly residence: RunResidence;
  /** With validation. */
  readonly journal: Journal;
  /** Creates the rows of the projections. */
  readonly rowsOf: RowsOf<Run, JournalRecord>;
  readonly flows: FlowRegistry;
  readonly tools: ToolCaller;
  /** Workers. */
  readonly takers: Takers;
  /** Agents; absent: nobody publishes their tasks, which wait. */
  readonly agents?: Takers;
  /** Let messages into the outbox; what has none is not relayed. */
  readonly outboxGates: OutboxGates;
  readonly waitingTasks: WaitingTaskStore;
  readonly limitLines: LimitLines;
  /** Counts the attempts of runs whose budgets limit them; absent: nobody does. */
  readonly attemptMeter?: AttemptMeter;
  /** Limits of services that tasks call by name; absent: none has one. */
  readonly serviceLimits?: ServiceLimits;
  /** Judges tasks that others do; absent: nobody does. */
  readonly taskGate?: TaskGate | null;
  /** How long the holder of a task may be silent before it is lost, milliseconds; 30 s when absent. */
  readonly sessionTimeoutMs?: number;
  /** Seals the URLs of callbacks. */
  readonly tokens: TaskTokens;
  /** Where services reach this one; null: no flow that awaits callbacks can start. */
  readonly publicUrl: string | null;
  /** Sequence of the first record of a new run; 1 when absent. */
  readonly firstSequence?: number;
  readonly log: Log;
  /** Names of the loaded graphs: flows with another graph cannot start. Absent: every start is accepted. */
  readonly graphs?: ReadonlySet<string>;
  /** Default start-to-close timeout of attempts, milliseconds; null: none. */
  readonly defaultTaskTimeoutMs?: number | null;
  readonly observers: readonly RunObserver[];
}

/** The run kind, and the ways to its runs. */
export interface RunKind {
  readonly kind: Kind<RunTypes>;
  /** Messages between runs. */
  readonly family: Family;
  /** Those who take tasks. */
  readonly carriers: Carriers;
  /** Reports of those who hold tasks. */
  readonly reports: Reports;
  readonly liveness: Liveness;
  /** What attempts tell those who watch. */
  readonly notes: Notes;
  readonly callbacks: Callbacks;
  /** What is given slots of limits. */
  readonly limitedTasks: GrantTaker & JournaledSlots;
  readonly activeTasks: Pick<ActiveTasks, "count">;
}

/** Creates the run kind. */
export function createRunKind(parts: RunKindParts): RunKind {
  const { journal, rowsOf, flows, clock, submission, lifecycle, probation, observers } = parts;
  const family = new Family(parts);
  const callbacks = new RunCallbacks(parts);
  const notes = new Notes();
  const counted = new CountedAttempts(parts.attemptMeter ?? null);
  const defaultTimeoutMs = parts.defaultTaskTimeoutMs ?? null;
  const attempts = new Attempts({ ...parts, callbacks, notes, counted, defaultTimeoutMs });
  const children = new Children({ ...parts, family });
  const relay = (carrier: OutboxCarrier): Topics => {
    const outboxGate = parts.outboxGates[carrier] ?? new OutboxGate();
    return new Topics({ ...parts, carrier, outboxGate, store: parts.waitingTasks });
  };
  const relayed: Readonly<Record<OutboxCarrier, Topics>> = {
    topics: relay("topics"),
    webhooks: relay("webhooks"),
    streams: relay("streams"),
  };
  const agents = parts.agents ?? NO_AGENTS;
  const carriers = new Carriers({ workers: parts.takers, ...relayed, agents });
  const table = new HandOutTable();
  const reserved = new ReservedSlots();
  const checkpoints = new Checkpoints(parts);
  const dispatch = { ...parts, takers: carriers, table, reserved, checkpoints, counted, notes };
  const handOuts = new HandOuts(dispatch);
  const reports = new Reports(dispatch);
  for (const one of Object.values(relayed)) one.start(reports);
  const liveness = new Liveness({ ...dispatch, reports, store: parts.waitingTasks });
  const limitedTasks = new LimitedTasks(parts);
  const activeTasks = new ActiveTasks(parts);
  const effects = new Effects({ attempts, handOuts, children, family, limitedTasks, lifecycle });
  const lookAt = async (taken: readonly number[]): Promise<void> => {
    const { waitingTasks, log } = parts;
    await retryUntil(
      log,
      async () => {
        const readdress = () => waitingTasks.readdress(taken, markOf("topics"), parts.outboxGates.topics !== undefined);
        while (!lifecycle.stopping && (await readdress()) > 0)
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      },
      () => lifecycle.stopping,
    );
    carriers.look();
  };
  const outside: Outside<RunTypes> = {
    createWork: createRunWork,
    opened: (resident, { header, moving, handedOut, wakeAt }, again) => {
      resident.work.shown = { state: header.state, moving, handedOut, wakeAt };
      if (!again) activeTasks.opened(resident);
      handOuts.opened(resident, liveness.sinceOf(resident.id));
      limitedTasks.opened(resident);
      counted.opened(resident.entity);
      if (again || resident.gone || RUN_RULES.hasEnded(resident.entity)) return;
      // A run that was quarantined unread and is now readable stays held until it is released. From here on its journal
      // shows the hold too.
      if (header.state !== "QUARANTINED" || resident.entity.state.holds.some((hold) => hold.kind === "quarantine"))
        return;
      const why = "the run could not be read before";
      submission.post(resident, { type: "hold", at: clock.now(), hold: "quarantine", by: "orchestrator", why });
      void probation.recover(resident, true);
    },
    follow: (resident, records) => handOuts.takeAtOnce(resident, records),
    perform: (resident, records, firstSequence) => effects.perform(resident, records, firstSequence),
    notify: (resident, records, firstSequence) => {
      for (const observer of observers) observer.committed(resident.entity, records, firstSequence);
    },
    recovered: (resident) => children.findAll(resident),
    begun: (resident) => children.started(resident),
    stop: (resident) => {
      attempts.abortAll(resident);
      handOuts.leave(resident);
    },
    left: (resident) => activeTasks.left(resident),
    callsOf: ({ work }) => work.attempts.size,
    isBusy: ({ work }) => work.attempts.size > 0 || work.startingChildren > 0,
    afterTakeover: async (taken) => {
      for (const observer of observers) observer.takenOver?.(taken);
      activeTasks.taken(taken);
      parts.limitLines.taken(taken);
      await Promise.all([lookAt(taken), children.alignAll(taken), liveness.taken(taken)]);
    },
    quarantined: (runId, reason) => {
      for (const observer of observers) observer.quarantined?.(runId, reason);
    },
  };
  const { serviceLimits, taskGate } = parts;
  const around: Surroundings = {
    // It changes.
    get closed() {
      return carriers.closed;
    },
    ...(serviceLimits === undefined ? {} : { serviceLimit: serviceLimits.limitOf }),
    ...(taskGate == null ? {} : { gate: taskGate }),
  };
  const kind: Kind<RunTypes> = {
    name: "run",
    rules: { ...RUN_RULES, advance: (run, event, slice) => advance(run, event, slice, around) },
    store: createRunStore(journal, flows),
    outside,
    suspects: createRunSuspects(journal),
    rowsOf: (resident) => rowsOf(resident.entity, resident.pending, firstSequenceOf(resident)),
    write: createTransition,
    toError: (trouble, runId, why = "", cause = undefined) => {
      switch (trouble) {
        case "moved":
          return toError("RUN_MOVED", { runId });
        case "missing":
          return toError("RUN_NOT_FOUND", { runId });
        case "unreadable":
          return toError("RUN_UNREADABLE", { runId, why }, { cause });
        case "quarantined":
          return toError("RUN_QUARANTINED", { runId, why }, { cause });
      }
    },
    logFieldsOf: ({ state: { runId, flowId, version, tenantId, facts } }) => ({
      runId,
      flowId,
      version,
      tenantId,
      correlationId: facts.correlationId || undefined,
    }),
  };
  return { kind, family, reports, liveness, notes, callbacks, carriers, limitedTasks, activeTasks };
}
