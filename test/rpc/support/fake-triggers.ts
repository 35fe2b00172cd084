import { silentLog } from "../../../src/base/log.ts";
import type { StoredTrigger, TriggerEvents, TriggerStore, Triggers } from "../../../src/engine/ports/bus/triggers.ts";
import { KnownTriggers } from "../../../src/engine/triggers/known-triggers.ts";
import { createTriggerEvents } from "../../../src/engine/triggers/trigger-events.ts";
import { createTriggers } from "../../../src/engine/triggers/triggers.ts";
import type { FlowRegistry } from "../../../src/flows/ports/registry.ts";

/** Triggers that are kept in memory, and whose events start and signal nothing. */
export function createFakeTriggers(flows: Pick<FlowRegistry, "planFor">): {
  readonly triggers: Triggers;
  readonly triggerEvents: TriggerEvents;
  readonly secrets: { resolve(reference: string): Promise<string> };
  readonly sharedClock: typeof Date;
} {
  const kept = new Map<string, StoredTrigger>();
  const store: TriggerStore = {
    listHeads: async () => [...kept.values()],
    find: async (_tenantId, ids) => ids.flatMap((id) => kept.get(id) ?? []),
    list: async (_tenantId, flowId, after, limit) =>
      [...kept.values()]
        .filter((one) => one.triggerId > after && (flowId === "" || one.flowId === flowId))
        .sort((a, b) => (a.triggerId < b.triggerId ? -1 : 1))
        .slice(0, limit),
    put: async (trigger) => {
      const before = kept.get(trigger.triggerId);
      const stored = { pause: null, createdAt: 1_000, ...before, ...trigger, revision: 1, updatedAt: 2_000 };
      kept.set(trigger.triggerId, stored);
      return { trigger: stored, created: before === undefined };
    },
    delete: async (_tenantId, id) => (kept.delete(id) ? 3_000 : null),
    pause: async (_tenantId, id, pause) => {
      const before = kept.get(id);
      if (before === undefined) return null;
      const after = { ...before, pause: pause === null ? null : { ...pause, since: 1_000 } };
      kept.set(id, after);
      return after;
    },
    counts: async () => [],
    addEvents: async () => {},
    listEvents: async () => [],
    listen: () => async () => {},
  };
  const known = new KnownTriggers(store, silentLog);
  return {
    triggers: createTriggers({ store, known, flows, checkServed: async () => {}, log: silentLog }),
    triggerEvents: createTriggerEvents({
      ...{ known, now: Date.now, log: silentLog, counts: { add() {} }, maxInputBytes: 2_000_000 },
      commands: { start: async () => {} },
      runKeys: {
        isTaken: async () => false,
        findRun: async () => null,
        claimRun: async () => null,
        releaseRun: async () => {},
      },
      calls: { start: async () => "run-1", signal: async () => {} },
    }),
    secrets: { resolve: async () => "secret" },
    sharedClock: Date,
  };
}
