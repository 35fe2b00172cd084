/** Services that nobody calls, and routed tasks that nobody has made. */
import type { RoutedTasks, RoutingStats } from "../../../src/engine/ports/routing/routed-tasks.ts";
import type { PutServices, ServiceCatalogue, ServiceView } from "../../../src/engine/ports/routing/services.ts";
import type { Breakers, ToolOverrides } from "../../../src/engine/ports/routing/tool-overrides.ts";
import { createBuiltInFlows } from "../../../src/flows/builtin/built-in-flows.ts";
import type { RouteRules } from "../../../src/flows/builtin/route.ts";
import type { BuiltInFlows } from "../../../src/flows/ports/built-in.ts";
import type { FlowRegistry } from "../../../src/flows/ports/registry.ts";

interface FakeRouting {
  readonly builtIns: BuiltInFlows;
  readonly services: ServiceCatalogue;
  readonly putServices: PutServices;
  readonly breakers: Breakers;
  readonly toolOverrides: ToolOverrides;
  readonly routedTasks: RoutedTasks;
  readonly routingStats: RoutingStats;
  readonly routeRules: RouteRules;
}

const BILLING: ServiceView = {
  ...{ name: "billing", url: "http://127.0.0.1:9000", source: "configuration", reachable: false, lastCallAt: null },
  ...{ entry: { url: "http://127.0.0.1:9000" }, headerNames: [], hidden: false, put: null },
};

/** One service, `billing`, and no registry. */
export function createFakeRouting(flows: FlowRegistry): FakeRouting {
  return {
    builtIns: createBuiltInFlows(flows),
    breakers: { instanceId: "fake", listBreakers: () => [] },
    toolOverrides: {
      list: () => [],
      put: async ({ tenantId, actor }, target, rule, why) => ({
        ...{ tenantId, ...target, ...rule, by: actor, why, since: Date.now() },
      }),
      lift: async () => false,
      reset: async () => {},
    },
    services: {
      begin: async () => {},
      resolve: (_tenantId, service, path) =>
        service === "billing"
          ? { kind: "known", url: `http://127.0.0.1:9000${path}` }
          : { kind: "unknown", names: ["billing"] },
      list: async () => [BILLING],
      view: (_tenantId, name) => (name === "billing" ? [BILLING] : []),
      registry: () => null,
    },
    putServices: {
      put: async ({ tenantId, actor }, name, entry, _etag, why) => ({
        service: { tenantId, name, entry, revision: "1", by: actor, why, updatedAt: Date.now() },
        created: true,
      }),
      delete: async () => false,
    },
    routedTasks: { list: async () => [], count: async () => 0 },
    routingStats: {
      read: () => ({
        ...{ success: 0, error: 0, timeout: 0, retries: 0, retriedSuccess: 0, retriedFailure: 0 },
        ...{ averageMs: null, p95Ms: null, p99Ms: null, since: 1_700_000_000_000 },
      }),
    },
    routeRules: { maxRetries: 3, timeoutMs: 30_000 },
  };
}
