/** Calls on queues. */
import type { Caller } from "../ports/caller.ts";
import type {
  QueueChange,
  QueueCounts,
  QueueSettings,
  QueueStore,
  Queues,
  QueueView,
} from "../ports/dispatch/queues.ts";

export interface QueuesParts {
  readonly store: QueueStore;
  /** Settings have changed: this instance need not wait until it is told. */
  readonly changed: () => void;
}

/** The queues of a database. */
export function createQueues({ store, changed }: QueuesParts): Queues {
  const view = async (tenantId: string, settings: readonly QueueSettings[]): Promise<QueueView[]> => {
    const queues = settings.map(({ queue }) => queue);
    const counts = new Map((await store.count(tenantId, queues)).map((count) => [count.queue, count]));
    return settings.map((one) => ({ ...(counts.get(one.queue) ?? noCounts(one.queue)), ...one }));
  };
  return {
    viewQueues: async ({ tenantId }: Caller, queues) => view(tenantId, await store.find(tenantId, queues)),
    findPlace: ({ tenantId }: Caller, runId, path) => store.findPlace(tenantId, runId, path),
    listNames: ({ tenantId }: Caller, after, limit) => store.listNames(tenantId, after, limit),
    changeQueue: async ({ tenantId, actor }: Caller, queue: string, change: QueueChange) => {
      const settings = await store.change(tenantId, queue, actor, change);
      changed();
      const [changedView] = await view(tenantId, [settings]);
      return changedView as QueueView;
    },
  };
}

function noCounts(queue: string): QueueCounts {
  return { queue, waiting: 0, deferred: 0, held: 0, oldestAt: null, priority: null, handlers: [] };
}
