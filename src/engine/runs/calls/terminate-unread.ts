import { toError } from "../../../base/errors.ts";
import { isValidTime } from "../../../base/time/time-range.ts";
import { createState, type RunState } from "../../machine/state.ts";
import type { Caller } from "../../ports/caller.ts";
import type { Runs } from "../runs.ts";

/** Ends an unreadable run of the caller. Errors: RUN_NOT_FOUND, RUN_FINISHED, RUN_MOVED. */
export async function terminateUnread(
  { journal, shards, clock, family }: Pick<Runs, "journal" | "shards" | "clock" | "family">,
  { tenantId, actor: by }: Caller,
  runId: string,
  reason: string,
): Promise<RunState> {
  const header = await journal.findHeader(runId);
  if (header === null || header.tenantId !== tenantId) throw toError("RUN_NOT_FOUND", { runId });
  if (header.endedAt !== null) throw toError("RUN_FINISHED", { runId, state: header.state });
  const shard = shards.shardOf(runId);
  const epoch = shards.epochOf(shard);
  const at = clock.now();
  const record = { type: "run.terminated", at, reason, by } as const;
  const ended = epoch === undefined ? null : await journal.endUnread({ shard, epoch }, runId, record);
  if (ended === null) throw toError("RUN_MOVED", { runId });
  const { flowId, version, flowHash: hash, createdAt, deadlineAt, labels, userId, correlationId, runKey } = header;
  const state = createState(runId);
  const error = { type: "TERMINATED", message: reason, task: null };
  const { sequence, parent } = ended;
  if (parent !== null) family.notifyParent(runId, shard, parent, { phase: "TERMINATED", output: null, error });
  return Object.assign(state, {
    ...{ tenantId, flowId, version, hash, deadlineAt, error },
    cause: { end: "terminated", compensate: false, reason, by, error: null },
    createdAt: isValidTime(createdAt) ? createdAt : at,
    facts: { ...state.facts, labels, userId, correlationId, runKey },
    phase: "TERMINATED",
    sequence,
    updatedAt: at,
    endedAt: at,
  } satisfies Partial<RunState>);
}
