import { setTimeout as sleep } from "node:timers/promises";
import {
  CommitError,
  type CommitResult,
  type Journal,
  type JournalWriter,
  type Transition,
} from "../../../src/engine/ports/journal.ts";
import type { Lease } from "../../../src/engine/ports/leases.ts";

/** What befalls a commit. `before` and `after` stand around the real one; either may throw in its place. */
export interface CommitFault {
  readonly before?: (transitions: readonly Transition[]) => void | Promise<void>;
  readonly after?: (transitions: readonly Transition[], result: CommitResult) => void | Promise<void>;
}

/** The answer to a commit arrives so many milliseconds late. */
export function answerLate(ms: number): CommitFault {
  return { after: () => sleep(ms) };
}

/** A journal whose commits and reads can be made to go wrong. */
export interface FaultyJournal extends Journal {
  /** Every batch that was sent, in order. */
  readonly batches: (readonly Transition[])[];
  /** Faults of the commits to come: the first that `when` accepts is used up by a commit. */
  onCommit(fault: CommitFault, when?: (transitions: readonly Transition[]) => boolean): void;
  /** Stands before the list of runs to take over. */
  beforeList: (() => void | Promise<void>) | null;
  /** Stands before reads of runs. */
  beforeLoad: ((runId: string) => void | Promise<void>) | null;
  /** Stands between a read of a run and its answer. */
  afterLoad: ((runId: string) => void | Promise<void>) | null;
  /**
   * From now on nothing that is asked is answered: the process is as good as dead. Resolves when its last statements
   * have ended, as those of a process that was killed do: until then they hold rows of leases, and those who look for
   * free shards passes over them.
   */
  die(): Promise<void>;
  /** While true commits fail and nothing is written. */
  down: boolean;
}

/** Wraps a journal. */
export function createFaultyJournal(real: Journal): FaultyJournal {
  const faults: { fault: CommitFault; when: (transitions: readonly Transition[]) => boolean }[] = [];
  let dead = false;
  const live = async (): Promise<void> => {
    if (dead) await new Promise(() => {});
  };
  const underWay = new Set<Promise<unknown>>();
  const track = async <T>(statement: Promise<T>): Promise<T> => {
    underWay.add(statement);
    try {
      return await statement;
    } finally {
      underWay.delete(statement);
    }
  };
  const journal: FaultyJournal = {
    batches: [],
    beforeList: null,
    beforeLoad: null,
    afterLoad: null,
    down: false,
    onCommit: (fault, when = () => true) => faults.push({ fault, when }),
    die: async () => {
      dead = true;
      await Promise.allSettled(underWay);
    },
    openWriter: async (name) => {
      const writer = await real.openWriter(name);
      return {
        commit: async (leases: readonly Lease[], transitions: readonly Transition[]) => {
          await live();
          if (journal.down) throw new CommitError("failed", new Error("the store is down"));
          const index = faults.findIndex(({ when }) => when(transitions));
          const { fault } = index < 0 ? { fault: {} as CommitFault } : (faults.splice(index, 1)[0] ?? { fault: {} });
          await fault.before?.(transitions);
          await live();
          journal.batches.push(transitions);
          const result = await track(writer.commit(leases, transitions));
          await live();
          await fault.after?.(transitions, result);
          return result;
        },
        close: () => writer.close(),
      } satisfies JournalWriter;
    },
    loadRun: async (runId) => {
      await live();
      await journal.beforeLoad?.(runId);
      const stored = await real.loadRun(runId);
      await journal.afterLoad?.(runId);
      await live();
      return stored;
    },
    listMoving: async (shards) => {
      await live();
      await journal.beforeList?.();
      return real.listMoving(shards);
    },
    listChildren: async (shards) => {
      await live();
      return real.listChildren(shards);
    },
    listDue: async (shards, until, after, limit) => {
      await live();
      return real.listDue(shards, until, after, limit);
    },
    keepAnswer: (answer) => real.keepAnswer(answer),
    forgetAnswer: (answer) => real.forgetAnswer(answer),
    nameSuspects: async (leases, trials, passed, alone) => {
      await live();
      return track(real.nameSuspects(leases, trials, passed, alone));
    },
    judgeSuspects: async (leases) => {
      await live();
      return track(real.judgeSuspects(leases));
    },
    holdUnread: (lease, runId, record) => track(real.holdUnread(lease, runId, record)),
    findHeader: (runId) => real.findHeader(runId),
    deleteRun: (lease, tenantId, runId) => real.deleteRun(lease, tenantId, runId),
    findDeleted: (tenantId, runId) => real.findDeleted(tenantId, runId),
    quarantine: (lease, runId) => track(real.quarantine(lease, runId)),
    endUnread: (lease, runId, record) => track(real.endUnread(lease, runId, record)),
    findConflict: (lookup) => real.findConflict(lookup),
    readEvents: (tenantId, runId, afterSequence, limit) => real.readEvents(tenantId, runId, afterSequence, limit),
  };
  return journal;
}
