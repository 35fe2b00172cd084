/**
 * Flows that an outside registry has: like those that come with messages, they are versions named after their content.
 */
import { isJsonObject } from "../../base/json/json.ts";
import type { OutsideRegistry } from "../../flows/ports/outside-registry.ts";
import { MessageRefused } from "../message-fields.ts";
import type { InlineFlow, InlineFlows } from "./inbound.ts";
import type { FlowRunRequested } from "./messages/flow-run.ts";

/** How long messages wait for a registry that is away, milliseconds. */
const PATIENCE_MS = 60_000;

/** The registry is away for now: the message is tried again. */
export class RegistryAway extends Error {}

/**
 * Finds the flow of a request that has been waiting since `since`, a time of `performance.now()`; null: the registry
 * does not have it. Throws {@link RegistryAway}, and {@link MessageRefused} when that lasts.
 */
export type FindOutside = (tenantId: string, request: FlowRunRequested, since: number) => Promise<InlineFlow | null>;

export function createOutsideFlows(registry: OutsideRegistry, inlineFlows: InlineFlows): FindOutside {
  return async (tenantId, request, since) => {
    const answer = await registry.find(request.flowId);
    if ("away" in answer) {
      if (performance.now() - since < PATIENCE_MS) throw new RegistryAway(answer.away);
      const problem = `the registry that may have the flow ${request.flowId} is away: ${answer.away}`;
      throw new MessageRefused("FLOW_REGISTRY_UNAVAILABLE", problem);
    }
    const { definition } = answer;
    if (definition === null) return null;
    if (!isJsonObject(definition))
      throw new MessageRefused("FLOW_INVALID", `the registry has no object as definition of ${request.flowId}`);
    return inlineFlows.register(tenantId, { ...request, definition });
  };
}
