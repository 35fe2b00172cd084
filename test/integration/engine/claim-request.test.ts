/** Request ids of calls that start several runs, on a real store. */
import { expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed } from "./bed.ts";

const bed = createBed();

test("a claimed id is that of its call alone, among claims and starts, for its tenant", async () => {
  await bed.register("one", [{ id: "only", type: "noop" }]);
  const { engine } = await bed.openInstance({});
  const start = (requestId: string) =>
    engine.startRun(CALLER, startOf("one", { requestId, requestHash: "s".repeat(64) }), 0);
  const REUSED = { code: "REQUEST_ID_REUSED" };
  await eventually(() => start("start"));
  await Promise.all(["a", "a", "a"].map((hash) => engine.claimRequest(CALLER, "batch", hash)));
  await expect(engine.claimRequest(CALLER, "batch", "b")).rejects.toMatchObject({
    ...REUSED,
    details: { requestId: "batch" },
  });
  await expect(engine.claimRequest(CALLER, "start", "a")).rejects.toMatchObject(REUSED);
  await expect(start("batch")).rejects.toMatchObject(REUSED);
  await engine.claimRequest({ ...CALLER, tenantId: "elsewhere" }, "batch", "b");
});
