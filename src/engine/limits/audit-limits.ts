/**
 * Looks once a minute for slots that no run has, and compares those of runs in memory with their rows: there is nothing
 * to find, unless something is wrong that would block a limit.
 */
import type { Log } from "../../base/log.ts";
import type {
  JournaledSlots,
  LimitAudit,
  LimitKey,
  LimitLines,
  LimitMetrics,
  LostSlots,
  SlotPosition,
} from "../ports/dispatch/limits.ts";
import type { Lease } from "../ports/leases.ts";
import type { OwnedShards } from "../shard/ownership/owned-shards.ts";
import { type Repetition, repeat } from "../shard/repeat.ts";
import { compareSlots } from "./compare-slots.ts";

/** Interval of audits, milliseconds. */
const AUDIT_EVERY_MS = 60_000;

/** Its owner tidies what belongs to no shard. */
const TIDYING_SHARD = 0;

export interface LimitAuditParts {
  readonly audit: LimitAudit;
  readonly journaled: JournaledSlots;
  readonly lines: Pick<LimitLines, "changed">;
  readonly shards: Pick<OwnedShards, "owned" | "epochOf">;
  readonly metrics: Pick<LimitMetrics, "lost" | "repaired">;
  readonly log: Log;
  /** See {@link AUDIT_EVERY_MS}, for tests. */
  readonly everyMs?: number;
}

/** Begins the audit. */
export function auditLimits(parts: LimitAuditParts): Repetition {
  const { audit, lines, shards, metrics, log, everyMs } = parts;
  return repeat(
    async () => {
      const leases = shards.owned.flatMap((shard) => {
        const epoch = shards.epochOf(shard);
        return epoch === undefined ? [] : [{ shard, epoch }];
      });
      if (leases.length === 0) return;
      const lost = await removeLost(audit, leases);
      if (lost.length > 0) {
        metrics.lost(lost.length);
        const limits = [...new Set(lost.map(({ name }) => name))].slice(0, 10);
        log.error("slots of limits belonged to no open run; they are free again", { slots: lost.length, limits });
      }
      for (const limit of lost) lines.changed(limit);
      const repaired = await compareSlots(parts);
      if (repaired > 0) metrics.repaired(repaired);
      if (shards.owned.includes(TIDYING_SHARD)) await audit.prune();
    },
    everyMs ?? AUDIT_EVERY_MS,
    log,
  );
}

/** Page by page, so that no statement is long. */
async function removeLost(audit: LimitAudit, leases: readonly Lease[]): Promise<readonly LimitKey[]> {
  const lost: LimitKey[] = [];
  let after: SlotPosition | null = null;
  do {
    const { limits, next }: LostSlots = await audit.removeLost(leases, after);
    lost.push(...limits);
    after = next;
  } while (after !== null);
  return lost;
}
