/** Calls on triggers. */
import { fail, isOrchestratorError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { checkStartable } from "../../flows/builtin/ids.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import { compileTrigger } from "../../flows/triggers/compile-trigger.ts";
import type { TriggerDocument } from "../../flows/triggers/trigger-document.ts";
import type { StoredTrigger, TriggerStore, Triggers, TriggerView } from "../ports/bus/triggers.ts";
import type { KnownTriggers } from "./known-triggers.ts";

export interface TriggersParts {
  readonly store: TriggerStore;
  readonly known: Pick<KnownTriggers, "refresh">;
  readonly flows: Pick<FlowRegistry, "planFor">;
  /** Throws TRIGGER_INVALID for a source that this service does not have, or a secret that does not exist. */
  readonly checkServed: (document: TriggerDocument) => Promise<void>;
  readonly log: Log;
}

export function createTriggers({ store, known, flows, checkServed, log }: TriggersParts): Triggers {
  const viewOf = async (tenantId: string, triggers: readonly StoredTrigger[]): Promise<readonly TriggerView[]> => {
    const ids = triggers.map(({ triggerId }) => triggerId);
    const counts = Map.groupBy(await store.counts(tenantId, ids), ({ triggerId }) => triggerId);
    return triggers.map((trigger) => ({
      ...trigger,
      ...compiled(trigger.definition),
      counts: counts.get(trigger.triggerId) ?? [],
    }));
  };
  const view = async (tenantId: string, triggerId: string, trigger: StoredTrigger | null | undefined) => {
    const [found] = trigger == null ? [] : await viewOf(tenantId, [trigger]);
    return found ?? fail("TRIGGER_NOT_FOUND", { triggerId });
  };
  return {
    async putTrigger({ tenantId, actor }, definition, etag) {
      const { document } = compileTrigger(definition);
      const { id: triggerId, flow_id: flowId } = document;
      await checkServed(document);
      checkStartable(flowId);
      await flows.planFor(tenantId, flowId, document.start?.version ?? "");
      const put = await store.put({ tenantId, triggerId, flowId, definition }, revisionOf(triggerId, etag));
      await known.refresh();
      log.info("a trigger was put", { trigger: triggerId, flow: flowId, actor, created: put.created });
      return { trigger: await view(tenantId, triggerId, put.trigger), created: put.created };
    },
    async getTrigger({ tenantId }, triggerId) {
      const [trigger] = await store.find(tenantId, [triggerId]);
      return view(tenantId, triggerId, trigger);
    },
    async listTriggers({ tenantId }, flowId, afterId, limit) {
      return viewOf(tenantId, await store.list(tenantId, flowId, afterId, limit));
    },
    async listEvents({ tenantId }, triggerId, ...which) {
      const [trigger] = await store.find(tenantId, [triggerId]);
      return trigger === undefined
        ? fail("TRIGGER_NOT_FOUND", { triggerId })
        : store.listEvents(tenantId, triggerId, ...which);
    },
    async deleteTrigger({ tenantId, actor }, triggerId, etag) {
      const at = await store.delete(tenantId, triggerId, revisionOf(triggerId, etag));
      await known.refresh();
      if (at === null) return fail("TRIGGER_NOT_FOUND", { triggerId });
      log.info("a trigger was deleted", { trigger: triggerId, actor });
      return at;
    },
    async pauseTrigger({ tenantId, actor }, triggerId, reason) {
      const trigger = await store.pause(tenantId, triggerId, { by: actor, why: reason });
      await known.refresh();
      if (trigger !== null) log.info("a trigger was paused", { trigger: triggerId, actor, reason });
      return view(tenantId, triggerId, trigger);
    },
    async resumeTrigger({ tenantId, actor }, triggerId, reason) {
      const trigger = await store.pause(tenantId, triggerId, null);
      await known.refresh();
      if (trigger !== null) log.info("a trigger was resumed", { trigger: triggerId, actor, reason });
      return view(tenantId, triggerId, trigger);
    },
  };
}

/** An etag is a revision; any other text matches nothing. */
function revisionOf(triggerId: string, etag: string): number | null {
  if (etag === "") return null;
  if (etag === "new") return 0;
  return /^[1-9]\d{0,14}$/.test(etag)
    ? Number(etag)
    : fail("TRIGGER_CHANGED", { triggerId, problem: "the etag is not one of the service" });
}

function compiled(definition: string): Pick<TriggerView, "document" | "problem"> {
  try {
    return { document: compileTrigger(definition).document, problem: "" };
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return { document: null, problem: error.message };
  }
}
