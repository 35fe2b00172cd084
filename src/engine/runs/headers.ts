import { publicState, type RunState } from "../machine/state.ts";
import type { RunHeader } from "../ports/run-index.ts";

/** Whether `header` is newer than `known`. The header of a quarantined run changes without a record. */
export function isNewer(header: RunHeader, known: Pick<RunHeader, "sequence" | "updatedAt">): boolean {
  if (header.sequence !== known.sequence) return header.sequence > known.sequence;
  return header.updatedAt > known.updatedAt;
}

/** The header of a run: the line that lists show. */
export function toHeader(state: RunState): RunHeader {
  return {
    runId: state.runId,
    tenantId: state.tenantId,
    flowId: state.flowId,
    version: state.version,
    flowHash: state.hash,
    state: publicState(state),
    sequence: state.sequence,
    labels: state.facts.labels,
    userId: state.facts.userId,
    correlationId: state.facts.correlationId,
    runKey: state.facts.runKey,
    parentRunId: state.facts.parent?.runId ?? "",
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    endedAt: state.endedAt === 0 ? null : state.endedAt,
    deadlineAt: state.deadlineAt,
  };
}
