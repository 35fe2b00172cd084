/** Limits: the slots of runs and tasks, what is declared about them, and the audit of what holds them. */
import type { Log } from "../../../base/log.ts";
import { auditLimits } from "../../../engine/limits/audit-limits.ts";
import { createLimits } from "../../../engine/limits/create-limits.ts";
import { createLimitControl } from "../../../engine/limits/limit-control.ts";
import type { LimitControl } from "../../../engine/ports/dispatch/limit-control.ts";
import type {
  GrantTaker,
  JournaledSlots,
  LimitCalls,
  LimitLines,
  LimitMetrics,
  LimitPlaces,
  PeerLimits,
} from "../../../engine/ports/dispatch/limits.ts";
import type { Runtime } from "../../../engine/shard/runtime.ts";
import { type ConfiguredUses, createLimitStore } from "../../../store/limits/declared-limits.ts";
import { createLimitAudit } from "../../../store/limits/limit-audit.ts";
import { createLimitPlaces } from "../../../store/limits/limit-places.ts";
import { createLimitSlotStore } from "../../../store/limits/limit-slots.ts";
import type { Database } from "../../../store/sql/pool.ts";
import { createLimitGauges } from "../../../telemetry/metrics/limit-metrics.ts";
import { COUNTING_SHARD, type Parts } from "../parts.ts";

/** What limits are for the rest of the service. */
export interface LimitPorts {
  readonly limitControl: LimitControl;
  readonly limitPlaces: LimitPlaces;
  readonly peerLimits: PeerLimits;
}

export interface LimitNeeds {
  readonly database: Database;
  /** Number of shards of the database. */
  readonly shards: number;
  readonly instanceId: string;
  readonly configuredUses: ConfiguredUses;
}

/** Limits before the engine runs. It stops them, because runs give slots back until they have stopped. */
export interface LimitsPart {
  readonly lines: LimitLines;
  readonly ports: LimitPorts;
  /** Slots are given out, and audited, from now on. */
  start(tasks: GrantTaker & JournaledSlots, calls: LimitCalls): void;
  stopAudit(): Promise<void>;
  stop(): Promise<void>;
}

/** Creates the limits of an instance. */
export function createLimitsPart(
  runtime: Runtime,
  { database, shards, instanceId, configuredUses }: LimitNeeds,
  log: Log,
  { metrics: counted }: Parts,
): LimitsPart {
  const metrics: LimitMetrics = {
    granted(limit, waitedMs) {
      counted.counter("orchestrator_limit_grants_total", limit).add();
      counted.histogram("orchestrator_limit_wait_seconds", limit).observe(waitedMs / 1_000);
    },
    lost: (count) => counted.counter("orchestrator_limit_slots_lost_total").add(count),
    repaired: (count) => counted.counter("orchestrator_limit_slots_repaired_total").add(count),
  };
  const limits = createLimits(runtime, {
    ...{ instanceId, metrics, log },
    store: createLimitSlotStore(database, shards),
  });
  const { lines } = limits;
  const store = createLimitStore(database, configuredUses);
  const show = createLimitGauges(counted);
  let audit: ReturnType<typeof auditLimits> | null = null;
  return {
    lines,
    ports: {
      limitControl: createLimitControl({ store, lines, log }),
      limitPlaces: createLimitPlaces(database),
      peerLimits: limits,
    },
    start(tasks, calls) {
      limits.start(tasks, calls);
      audit = auditLimits({
        ...{ shards: runtime.shards, lines, metrics, log },
        audit: createLimitAudit(database),
        journaled: tasks,
      });
      counted.beforeRead(async () =>
        show(runtime.shards.owned.includes(COUNTING_SHARD) ? await store.listTotals() : []),
      );
    },
    stopAudit: async () => audit?.stop(),
    stop: () => limits.stop(),
  };
}
