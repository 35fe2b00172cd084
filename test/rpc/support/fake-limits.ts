import type { LimitControl, LimitView } from "../../../src/engine/ports/dispatch/limit-control.ts";

/** Limits without tasks, of which declarations are kept. */
export function createFakeLimits(): LimitControl {
  const kept = new Map<string, LimitView["declaration"]>();
  return {
    viewLimits: async ({ tenantId }, names) =>
      names.map((name) => ({
        ...{ tenantId, name, declaration: kept.get(name) ?? null, pause: null, pausedKeys: 0 },
        ...{ waiting: 0, held: 0, oldestAt: null },
      })),
    listNames: async (_caller, after, limit) => [...kept.keys()].filter((name) => name > after).slice(0, limit),
    listKeys: async () => [],
    listBusiest: async () => [],
    listUses: async () => [],
    listSlots: async () => [],
    change: async ({ actor }, name, change) => {
      if (change.type !== "put") return kept.delete(name);
      const { maxConcurrent, rate, why } = change;
      kept.set(name, { maxConcurrent, rate, etag: "1", by: actor, why, at: 1_000 });
      return true;
    },
  };
}
