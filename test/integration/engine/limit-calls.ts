/** Limits of engines in one process, and what they tell each other. */
import type { Log } from "../../../src/base/log.ts";
import { type CreatedLimits, createLimits } from "../../../src/engine/limits/create-limits.ts";
import type { LimitCalls, PeerLimits } from "../../../src/engine/ports/dispatch/limits.ts";
import type { Runtime } from "../../../src/engine/shard/runtime.ts";
import { createLimitSlotStore } from "../../../src/store/limits/limit-slots.ts";
import type { Database } from "../../../src/store/sql/pool.ts";

/** Limits of each instance, for the others. */
export const limitsHeard = new Map<string, PeerLimits>();

/** What an instance tells others in this process about limits. */
export function tellingFrom(from: string, tellsNobody: boolean): LimitCalls {
  return {
    tellLimits: async (peer, message) => {
      await new Promise((resolve) => setImmediate(resolve));
      const there = limitsHeard.get(peer.id);
      if (tellsNobody || there === undefined || !limitsHeard.has(from)) throw new Error(`${peer.id} does not answer`);
      there.hear(message);
    },
  };
}

/** The limits of one engine. */
export function createTestLimits(
  runtime: Runtime,
  {
    id,
    database,
    shards,
    log,
  }: { readonly id: string; readonly database: Database; readonly shards: number; readonly log: Log },
): CreatedLimits {
  const store = createLimitSlotStore(database, shards);
  return createLimits(runtime, { instanceId: id, store, metrics: { granted() {} }, log });
}
