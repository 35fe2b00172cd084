/** Calls on limits. A change is durable at once, and the homes of the keys are told to read it. */
import type { Log } from "../../base/log.ts";
import type { LimitControl, LimitStore } from "../ports/dispatch/limit-control.ts";
import type { LimitLines } from "../ports/dispatch/limits.ts";

/** Keys of one page. */
const PAGE = 1_000;

export interface LimitControlParts {
  readonly store: LimitStore;
  readonly lines: Pick<LimitLines, "changed">;
  readonly log: Log;
}

/** The limits of a database. */
export function createLimitControl({ store, lines, log }: LimitControlParts): LimitControl {
  /** Best effort: instances with waiting runs tell the homes again within seconds. */
  const tellHomes = async (tenantId: string, name: string, only: string | null): Promise<void> => {
    if (only !== null) return lines.changed({ tenantId, name, key: only });
    for (let after: string | null = null; ; ) {
      const keys = await store.listWaitingKeys({ tenantId, name }, after, PAGE);
      for (const key of keys) lines.changed({ tenantId, name, key });
      if (keys.length < PAGE) return;
      after = keys.at(-1) ?? null;
    }
  };
  return {
    viewLimits: ({ tenantId }, names) => store.view(tenantId, names),
    listNames: ({ tenantId }, after, limit) => store.listNames(tenantId, after, limit),
    listKeys: ({ tenantId }, name, after, limit) => store.listKeys(tenantId, name, after, limit),
    listBusiest: ({ tenantId }, name, limit) => store.listBusiest(tenantId, name, limit),
    listUses: ({ tenantId }, name, limit) => store.listUses(tenantId, name, limit),
    listSlots: ({ tenantId }, query, after, limit) => store.listSlots(tenantId, query, after, limit),
    change: async ({ tenantId, actor }, name, change) => {
      const { type, why: reason } = change;
      const changed = await store.change(tenantId, name, actor, change);
      if (!changed) return false;
      const key = type === "pause" || type === "resume" ? change.key : null;
      log.info("a limit was changed", { limit: name, change: type, ...(key === null ? {} : { key }), actor, reason });
      // A pause takes effect where slots are given out.
      if (type !== "pause")
        void tellHomes(tenantId, name, key).catch((error: unknown) =>
          log.warn("the homes of a limit could not be told of a change; they see it within seconds", {
            limit: name,
            error,
          }),
        );
      return true;
    },
  };
}
