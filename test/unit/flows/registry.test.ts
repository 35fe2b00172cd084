import { expect, it } from "vitest";
import { createBuiltInFlows } from "../../../src/flows/builtin/built-in-flows.ts";
import { createRouteFlows } from "../../../src/flows/builtin/route.ts";
import type { FlowStore, NewFlowVersion } from "../../../src/flows/ports/flow-store.ts";
import type { FlowVersion } from "../../../src/flows/ports/registry.ts";
import { createFlowRegistry } from "../../../src/flows/registry.ts";

const source = (version: string) => ({
  text: `{id: f, version: "${version}", workflow: {tasks: [{id: a, type: noop}]}}`,
});

/** A store in memory that counts what it is asked; `gate` holds answers back. */
function createStore() {
  const stored: FlowVersion[] = [];
  const store = {
    asked: 0,
    gate: Promise.resolve(),
    insert: async (flow: NewFlowVersion) => {
      if (stored.some(({ version }) => version === flow.version)) return null;
      stored.push({ ...flow, createdAt: stored.length, latest: true });
      return stored.at(-1) ?? null;
    },
    find: async (_tenantId: string, _flowId: string, version: string) => {
      store.asked += 1;
      const found = stored.findLast((flow) => version === "" || flow.version === version) ?? null;
      await store.gate;
      return found;
    },
    findByHash: async () => null,
    deleteVersion: async (_tenantId: string, _flowId: string, version: string) => {
      const at = stored.findIndex((flow) => flow.version === version);
      if (at >= 0) stored.splice(at, 1);
      return at < 0 ? ({ outcome: "missing" } as const) : ({ outcome: "deleted", deletedAt: 1 } as const);
    },
    listDeclared: async () => [],
    listFlows: async () => [],
    listVersions: async () => [],
  } satisfies FlowStore & { asked: number; gate: Promise<void> };
  return store;
}

// Cause: every start looked the version up on its own, and thousands at once took all connections of the store: most
// were refused.
it("asks the store once for all who want the same version at the same time", async () => {
  const store = createStore();
  await createFlowRegistry(store).registerFlow("t", source("1"), false);
  const registry = createFlowRegistry(store);
  const plans = await Promise.all(Array.from({ length: 1_000 }, () => registry.planFor("t", "f", "")));
  expect(new Set(plans).size).toBe(1);
  expect(store.asked).toBe(1);
});

it("does not keep an answer that was asked for before a newer version was registered", async () => {
  const store = createStore();
  const registry = createFlowRegistry(store);
  await registry.registerFlow("t", source("1"), false);
  let open = (): void => {};
  store.gate = new Promise((resolve) => {
    open = resolve;
  });
  const early = registry.planFor("t", "f", "");
  await registry.registerFlow("t", source("2"), false);
  const late = registry.planFor("t", "f", "");
  open();
  expect([(await early).version, (await late).version]).toEqual(["1", "2"]);
  expect((await registry.planFor("t", "f", "")).version).toBe("2");
});

it("asks again after a lookup that failed", async () => {
  const store = createStore();
  const registry = createFlowRegistry(store);
  await expect(registry.planFor("t", "f", "")).rejects.toMatchObject({ code: "FLOW_NOT_FOUND" });
  await registry.registerFlow("t", source("1"), false);
  expect((await registry.planFor("t", "f", "")).version).toBe("1");
});

it("starts no plan of a version that it deleted, nor one that it is told to forget", async () => {
  const store = createStore();
  const [registry, other] = [createFlowRegistry(store), createFlowRegistry(store)];
  await registry.registerFlow("t", source("1"), false);
  await registry.registerFlow("t", source("2"), false);
  for (const version of ["", "2"]) {
    await registry.planFor("t", "f", version);
    await other.planFor("t", "f", version);
  }
  await registry.deleteVersion("t", "f", "2", "");
  expect((await registry.planFor("t", "f", "")).version).toBe("1");
  await expect(registry.planFor("t", "f", "2")).rejects.toMatchObject({
    code: "FLOW_NOT_FOUND",
    message: expect.stringContaining("the latest is 1"),
  });
  other.forget("t", "f", "2");
  expect((await other.planFor("t", "f", "")).version).toBe("1");
  await expect(other.planFor("t", "f", "2")).rejects.toMatchObject({ code: "FLOW_NOT_FOUND" });
  await expect(registry.deleteVersion("t", "f", "2", "")).rejects.toMatchObject({ code: "FLOW_NOT_FOUND" });
});

it("registers a version that is deleted between its insert and the look at what stands in its way", async () => {
  const store = createStore();
  const registry = createFlowRegistry(store);
  await registry.registerFlow("t", source("1"), false);
  const { find } = store;
  store.find = async (...names) => {
    store.find = find;
    await store.deleteVersion("t", "f", "1");
    return find(...names);
  };
  expect(await registry.registerFlow("t", source("1"), false)).toMatchObject({ created: true });
});

it("keeps ids of flows of the service for them", async () => {
  const registry = createFlowRegistry(createStore());
  const { withBody } = createRouteFlows({ maxRetries: 3, timeoutMs: 30_000 });
  const refused = registry.registerFlow("t", { document: { ...withBody, version: "1" } }, false);
  await expect(refused).rejects.toMatchObject({ code: "FLOW_INVALID", violations: [{ field: "id" }] });
  expect((await registry.registerBuiltIn("t", { ...withBody, version: "1" })).created).toBe(true);
});

it("registers a flow of the service once for each content, and knows it after a restart", async () => {
  const store = createStore();
  const open = () => createBuiltInFlows(createFlowRegistry(store));
  const { withBody, withoutBody } = createRouteFlows({ maxRetries: 3, timeoutMs: 30_000 });
  const flows = open();
  const [first, other] = [await flows.use("t", withBody), await flows.use("t", withoutBody)];
  expect(first).toEqual({ flowId: "orchestrator-route", version: expect.stringMatching(/^builtin-[0-9a-f]{12}$/) });
  expect(other.version).not.toBe(first.version);
  expect(await open().use("t", withBody)).toEqual(first);
  const asked = store.asked;
  expect(await flows.use("t", withBody)).toEqual(first);
  expect(store.asked).toBe(asked);
  await store.deleteVersion("t", first.flowId, first.version);
  const later = createFlowRegistry(store);
  const again = createBuiltInFlows(later);
  expect(await again.use("t", withBody)).toEqual(first);
  expect((await later.getFlow("t", first.flowId, first.version)).hash).toHaveLength(64);
});
