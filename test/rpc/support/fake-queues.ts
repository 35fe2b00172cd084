import type { Queues, QueueView } from "../../../src/engine/ports/dispatch/queues.ts";

/** Queues without tasks, in which changes are kept. */
export function createFakeQueues(): Queues {
  const kept = new Map<string, QueueView>();
  const viewOf = (tenantId: string, queue: string): QueueView =>
    kept.get(queue) ?? {
      ...{ tenantId, queue, pause: null, drain: null, maxLength: null, ttlMs: null, buildIds: [] },
      ...{ waiting: 0, deferred: 0, held: 0, oldestAt: null, priority: null, handlers: [] },
    };
  return {
    viewQueues: async ({ tenantId }, queues) => queues.map((queue) => viewOf(tenantId, queue)),
    findPlace: async () => null,
    listNames: async (_caller, after, limit) => [...kept.keys()].filter((name) => name > after).slice(0, limit),
    changeQueue: async ({ tenantId, actor }, queue, change) => {
      const before = viewOf(tenantId, queue);
      const after = ((): QueueView => {
        switch (change.type) {
          case "pause":
            return { ...before, pause: before.pause ?? { by: actor, why: change.why, since: 1_000 } };
          case "drain":
            return { ...before, drain: before.drain ?? { by: actor, why: change.why, since: 1_000 } };
          case "resume":
            return { ...before, pause: null, drain: null };
          case "update": {
            const { type: _, ...set } = change;
            return { ...before, ...set };
          }
        }
      })();
      kept.set(queue, after);
      return after;
    },
  };
}
