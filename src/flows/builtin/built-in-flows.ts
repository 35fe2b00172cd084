/**
 * Flows that the service itself brings, written in the format of flows. Each content is a version of its own, which is
 * registered when it is first used by a tenant, so that runs that exist go on with the version that they began with.
 */
import { invariant, isOrchestratorError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { hashDocument } from "../document/identity.ts";
import type { BuiltInFlows, UsedFlow } from "../ports/built-in.ts";
import type { FlowRegistry } from "../ports/registry.ts";
import { BUILT_IN_VERSION } from "./ids.ts";

/** Registered versions in memory. */
const MAX_KNOWN = 1_000;

/** The version that a document is registered as. */
export function usedFlowOf(document: JsonObject, hash = hashDocument(document)): UsedFlow {
  return { flowId: String(document["id"]), version: BUILT_IN_VERSION + hash.slice(0, 12) };
}

/** Creates them over the registry. */
export function createBuiltInFlows(registry: Pick<FlowRegistry, "registerBuiltIn" | "planFor">): BuiltInFlows {
  const known = new Map<string, Promise<UsedFlow>>();
  const hashes = new WeakMap<JsonObject, string>();

  const hashOf = (document: JsonObject): string => {
    const hash = hashes.get(document) ?? hashDocument(document);
    hashes.set(document, hash);
    return hash;
  };

  const register = async (tenantId: string, document: JsonObject, hash: string): Promise<UsedFlow> => {
    const { flowId, version } = usedFlowOf(document, hash);
    // After a restart it is there, and need not be compiled again.
    const isThere = await registry.planFor(tenantId, flowId, version).then(
      () => true,
      (error: unknown) =>
        isOrchestratorError(error) && error.code === "FLOW_NOT_FOUND" ? false : Promise.reject(error),
    );
    if (isThere) return { flowId, version };
    const { flow } = await registry.registerBuiltIn(tenantId, { ...document, version });
    invariant(flow, "a registration answers with its flow");
    return { flowId, version };
  };

  return {
    use(tenantId, document) {
      const hash = hashOf(document);
      const key = `${tenantId} ${hash}`;
      const registered = known.get(key);
      if (registered !== undefined) return registered;
      const registering = register(tenantId, document, hash);
      // The caller sees the error; the next one tries again.
      registering.catch(() => known.delete(key));
      known.set(key, registering);
      if (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? "");
      return registering;
    },
    forget(tenantId, document) {
      known.delete(`${tenantId} ${hashOf(document)}`);
    },
  };
}
