/**
 * The journal with validation: everything read from the store is checked once, here, so a damaged run is RUN_UNREADABLE
 * in every call.
 *
 * Each record is checked against its kind. Header and journal must agree on the run's tenant and flow, on the last
 * sequence, and on whether the run has ended.
 */
import { toError } from "../../base/errors.ts";
import { recordsProblem } from "../machine/check-record.ts";
import { isEndRecord } from "../machine/control/end-records.ts";
import { withNewPaths } from "../machine/old-paths.ts";
import type { Journal, StoredRun } from "../ports/journal.ts";
import { readRun } from "./unreadable.ts";

/** A journal whose reads are checked. Reads of runs that are damaged throw RUN_UNREADABLE. */
export function checkReads(journal: Journal): Journal {
  const load = async (
    runId: string,
  ): Promise<{ readonly stored: StoredRun; readonly problem: string | null } | null> => {
    const stored = await journal.loadRun(runId);
    return stored === null ? null : { stored, problem: runProblem(stored) };
  };
  return {
    ...journal,
    loadRun: (runId) =>
      readRun(runId, async () => {
        let read = await load(runId);
        // The header is read before the journal, which may have been written to its end in between.
        if (read !== null && read.problem !== null) read = await load(runId);
        if (read === null) return null;
        if (read.problem !== null) throw toError("RUN_UNREADABLE", { runId, why: read.problem });
        return { ...read.stored, records: withNewPaths(read.stored.records) };
      }),
    readEvents: (tenantId, runId, afterSequence, limit) =>
      readRun(runId, async () => {
        const transitions = await journal.readEvents(tenantId, runId, afterSequence, limit);
        for (const { records, sequence } of transitions ?? []) {
          const problem = recordsProblem(records, sequence);
          if (problem !== null) throw toError("RUN_UNREADABLE", { runId, why: problem });
        }
        return transitions?.map((transition) => ({ ...transition, records: withNewPaths(transition.records) })) ?? null;
      }),
  };
}

function runProblem({ header, records, sequence }: StoredRun): string | null {
  if (header.damage !== undefined) return header.damage;
  const { length } = records;
  if (length === 0) return "it has no journal";
  const problem = recordsProblem(records, 1);
  if (problem !== null) return problem;
  const [first] = records;
  if (first?.type !== "run.started") return "its journal does not begin with its start";
  if (first.tenantId !== header.tenantId || first.flowId !== header.flowId || first.hash !== header.flowHash)
    return "header and journal belong to different tenants or flows";
  if (header.sequence > sequence) return `the journal ends at ${sequence}, the header knows record ${header.sequence}`;
  const last = records[length - 1];
  const ended = last !== undefined && isEndRecord(last);
  if (ended !== (header.endedAt !== null) || (ended && header.sequence !== sequence))
    return ended ? "its journal has ended, its header has not" : "its header has ended, its journal has not";
  return null;
}
