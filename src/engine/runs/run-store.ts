/** Reads of stored runs for the shard runtime. */
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import { foldJournal } from "../machine/apply.ts";
import { emptyPlan, openRun } from "../machine/run.ts";
import type { Journal, Trial as JournalTrial } from "../ports/journal.ts";
import type { EntityStore, SuspectStore, Trial } from "../shard/kind.ts";
import type { RunTypes } from "./run-resident.ts";
import { isUnreadable, readRun } from "./unreadable.ts";

/**
 * Creates a store on a validating journal. Error: RUN_UNREADABLE for a run that is damaged or that this build cannot
 * read.
 */
export function createRunStore(journal: Journal, flows: FlowRegistry): EntityStore<RunTypes> {
  return {
    load: (runId) => readRun(runId, () => journal.loadRun(runId)),
    open: (stored) =>
      readRun(stored.runId, async () => {
        const state = foldJournal(stored.runId, stored.records);
        const { tenantId, flowId, hash } = state;
        return openRun(state, hash === "" ? emptyPlan(flowId) : await flows.planByHash(tenantId, flowId, hash));
      }),
    isUnreadable,
    listMoving: async (shards) =>
      (await journal.listMoving(shards)).map(({ runId, moving }) => ({ id: runId, moving })),
    listDue: async (shards, until, after, limit) => {
      const last = after === null ? null : { runId: after.id, wakeAt: after.wakeAt };
      return (await journal.listDue(shards, until, last, limit)).map(({ runId, wakeAt }) => ({ id: runId, wakeAt }));
    },
    quarantine: (lease, runId) => journal.quarantine(lease, runId),
  };
}

/** Runs that may have killed their owner. */
export function createRunSuspects(journal: Journal): SuspectStore {
  return {
    name: (leases, trials, passed, alone) =>
      journal.nameSuspects(leases, trials.map(toTrial), passed.map(toTrial), alone),
    judge: async (leases) =>
      (await journal.judgeSuspects(leases)).map(({ runId, ...suspect }) => ({ id: runId, ...suspect })),
    hold: (lease, runId, at, why) =>
      journal.holdUnread(lease, runId, { type: "run.held", at, hold: "quarantine", by: "orchestrator", why }),
  };
}

function toTrial({ id, shard, moment }: Trial): JournalTrial {
  return { runId: id, shard, moment };
}
