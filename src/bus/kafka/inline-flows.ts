/**
 * Flows that come with messages, in the product's own format or in the short one (see flows/short). Each is a version
 * of its own, named after its content.
 */
import { createHash } from "node:crypto";
import { isJsonObject, type JsonObject } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import { MessageRefused } from "../message-fields.ts";
import type { InlineFlow, InlineFlows } from "./inbound.ts";

/** Registered definitions in memory. */
const MAX_KNOWN = 1_000;

/** Makes a flow of a definition in the short format, and of the names that its input has. Errors: FLOW_INVALID. */
export type FromShort = (definition: JsonObject, inputs: readonly string[]) => JsonObject;

/** Creates the registration of such flows. */
export function createInlineFlows(registry: Pick<FlowRegistry, "registerFlow">, fromShort: FromShort): InlineFlows {
  const known = new Map<string, Promise<InlineFlow>>();
  return {
    register(tenantId, { flowId, definition, input }) {
      if (!isJsonObject(definition)) throw new MessageRefused("FLOW_INVALID", "flow_definition: expected an object");
      const document = toDocument(definition, flowId, Object.keys(input), fromShort);
      const hash = createHash("sha256").update(canonicalJson(document)).digest("hex");
      const key = `${tenantId} ${hash}`;
      const registered = known.get(key);
      if (registered !== undefined) return registered;
      const version = `inline-${hash.slice(0, 12)}`;
      const registering = registry
        .registerFlow(tenantId, { document: { ...document, version } }, false)
        .then(({ flow }) => ({ flowId: flow?.flowId ?? flowId, version }));
      // The caller sees the error; the next message tries again.
      registering.catch(() => known.delete(key));
      known.set(key, registering);
      if (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? "");
      return registering;
    },
  };
}

function toDocument(
  definition: JsonObject,
  flowId: string,
  inputs: readonly string[],
  fromShort: FromShort,
): JsonObject {
  const { version: _, ...own } = definition;
  const document = "workflow" in own ? own : fromShort(own, inputs);
  return { ...document, id: flowId || (document.id ?? "") };
}
