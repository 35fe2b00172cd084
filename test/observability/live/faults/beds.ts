/** Faults that share one monitoring, by the test file that makes them happen, and how short its durations are. */
import { shortTime, type Time } from "../../../../observability/src/rule.ts";
import { DATABASE_AWAY, ONLY_INSTANCE_KILLED } from "./availability.ts";
import { JOURNAL_DAMAGED, RUN_DELETED, TARGET_REFUSES } from "./damage.ts";
import type { Fault } from "./fault.ts";
import { REDIS_BACK_LATE, REFLEX_SLOW } from "./outside.ts";
import { ENDPOINT_AWAY, LIMIT_PAUSED, REFLEX_AWAY, RUN_LOCKED } from "./progress.ts";
import { DATABASE_READ_ONLY, DATABASE_SLOW, OWNER_HANGS } from "./store.ts";

/** Faults that do not hide each other. Each has instances and a database of its own. */
export interface Bed {
  readonly faults: readonly Fault[];
  readonly time: Time;
}

/**
 * Leases are renewed every few seconds, so no limit is shorter than 15 s. Nothing else is shorter than three readings:
 * a busy machine may miss one. Windows of burn rates are long enough for a hundred events.
 */
export const BEDS = {
  down: { faults: [ONLY_INSTANCE_KILLED], time: shortTime(30, 6, 15) },
  unreachable: { faults: [DATABASE_AWAY], time: shortTime(30, 6, 15) },
  store: { faults: [DATABASE_READ_ONLY, DATABASE_SLOW, OWNER_HANGS], time: shortTime(60, 6, 15) },
  progress: { faults: [RUN_LOCKED, LIMIT_PAUSED, REFLEX_AWAY, ENDPOINT_AWAY], time: shortTime(60, 6, 15) },
  outside: { faults: [REDIS_BACK_LATE, REFLEX_SLOW], time: shortTime(60, 6, 15) },
  damage: { faults: [RUN_DELETED, JOURNAL_DAMAGED, TARGET_REFUSES], time: shortTime(75, 6, 15) },
} as const satisfies Readonly<Record<string, Bed>>;
