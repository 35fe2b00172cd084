/**
 * Flows that come with messages, in the product's own format or in the short one:
 *
 *   {id, name, tasks: [{id, handler, depends_on, inputs, max_retries, timeout}]}
 *
 * Each is a version of its own, named after its content.
 */
import { createHash } from "node:crypto";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import type { InlineFlow, InlineFlows } from "./inbound.ts";
import { Fields, isObject, MessageRefused } from "./messages/fields.ts";

/** Registered definitions in memory. */
const MAX_KNOWN = 1_000;

/**
 * Creates the registration of such flows. The n-th retry of a task in the short format waits `backoffBase`^n seconds.
 */
export function createInlineFlows(registry: Pick<FlowRegistry, "registerFlow">, backoffBase: number): InlineFlows {
  const known = new Map<string, Promise<InlineFlow>>();
  return {
    register(tenantId, { flowId, definition, input }) {
      if (!isObject(definition)) throw new MessageRefused("FLOW_INVALID", "flow_definition: expected an object");
      const document = toDocument(definition, flowId, Object.keys(input), backoffBase);
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

function toDocument(definition: JsonObject, flowId: string, inputs: readonly string[], base: number): JsonObject {
  const { version: _, ...own } = definition;
  const document = "workflow" in own ? own : fromShort(own, inputs, base);
  return { ...document, id: flowId || (document.id ?? "") };
}

/** The short format declares no variables: whatever its run gets is one. */
function fromShort(definition: JsonObject, inputs: readonly string[], base: number): JsonObject {
  const fields = new Fields(definition);
  const id = fields.text("id");
  const name = fields.text("name") || id;
  const tasks = fields.any("tasks");
  if (!Array.isArray(tasks)) throw new MessageRefused("FLOW_INVALID", "flow_definition.tasks: expected a list");
  const variables = inputs.toSorted().map((input) => ({ name: input }));
  return { id, name, variables, workflow: { tasks: tasks.map((task: Json) => toTask(task, base)) } };
}

function toTask(task: Json, base: number): JsonObject {
  if (!isObject(task)) throw new MessageRefused("FLOW_INVALID", "flow_definition.tasks: expected objects");
  if (!("handler" in task)) return task;
  const { handler, inputs, max_retries: maxRetries, depends_on: dependsOn, ...rest } = task;
  const names = Array.isArray(dependsOn) ? dependsOn.filter((one) => typeof one === "string") : [];
  const given = inputs ?? Object.fromEntries(names.map((one) => [one, `\${tasks["${one}"].output}`]));
  return {
    type: "queue",
    ...rest,
    ...(dependsOn === undefined ? {} : { depends_on: dependsOn }),
    parameters: { handler: handler ?? "", inputs: given },
    ...(maxRetries === undefined ? {} : { retry_policy: { max_retries: maxRetries, ...backoffOf(base) } }),
  };
}

function backoffOf(base: number): JsonObject {
  return { backoff_type: "exponential", initial_delay: base, multiplier: base, max_delay: "24h" };
}
