/** Lists of flows from the store. */
import { expect, test } from "vitest";
import { createTokens } from "../../../src/api/lists/tokens.ts";
import { createFlowLists } from "../../../src/api/services/flow-lists.ts";
import { createFlowRegistry } from "../../../src/flows/registry.ts";
import { createFlowStore } from "../../../src/store/flow-versions.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();

// Cause: only lists of runs were given up with their call.
test("a list of flows, or of versions, ends with its call, in the database too", async () => {
  const flows = createFlowRegistry(createFlowStore(database));
  const lists = createFlowLists({ flows, tokens: createTokens(new Uint8Array(32)) });
  const document = { id: "f", version: "1", workflow: { tasks: [{ id: "a", type: "noop" }] } };
  await flows.registerFlow("default", { document }, false);
  const lock = await database.openSession("lock");
  await lock.query("BEGIN");
  await lock.query("LOCK TABLE orchestrator.flow_versions IN ACCESS EXCLUSIVE MODE");
  const reason = new Error("the caller has gone");
  const gone = new AbortController();
  const call = { caller: { tenantId: "default", actor: "" }, signal: gone.signal };
  const list = (method: "listFlows" | "listFlowVersions") =>
    lists[method]({ flowId: "f", filter: "", pageToken: "", pageSize: 0 } as never, call as never).then(
      () => "answered",
      (error: unknown) => error,
    );
  const listing = [
    list("listFlows"),
    flows.listVersions("default", "f", null, 10, gone.signal).catch((error) => error),
  ];
  gone.abort(reason);
  expect(await Promise.all(listing)).toEqual([reason, reason]);
  await lock.query("ROLLBACK");
  await lock.close();
  expect(await list("listFlowVersions")).toBe(reason);
});

// Cause: a flow that came with a message became the latest version, and later starts ran it.
test("a version that came with a message is never the latest", async () => {
  const flows = createFlowRegistry(createFlowStore(database));
  const register = async (version: string, id: string): Promise<boolean | undefined> => {
    const document = { id, version, workflow: { tasks: [{ id: "a", type: "noop" }] } };
    return (await flows.registerFlow("default", { document }, false)).flow?.latest;
  };
  expect([await register("1", "both"), await register("inline-1", "both")]).toEqual([true, false]);
  expect(await flows.getFlow("default", "both", "")).toMatchObject({ version: "1", latest: true });
  expect(await flows.planFor("default", "both", "")).toMatchObject({ version: "1" });
  expect((await flows.listFlows("default", "bot", 1)).map(({ version }) => version)).toEqual(["1"]);
  expect(await register("inline-2", "alone")).toBe(false);
  await expect(flows.planFor("default", "alone", "")).rejects.toMatchObject({ code: "FLOW_NOT_FOUND" });
  expect(await flows.planFor("default", "alone", "inline-2")).toMatchObject({ version: "inline-2" });
});
