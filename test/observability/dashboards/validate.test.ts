/** The folder as it is passes the script that brings it to the monitoring stack, and arrives at Grafana. */
import { expect, test } from "vitest";
import { EDITOR_TOKEN, startGrafana } from "../../support/grafana/stand-in.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { EXIT, runSync, STACK_MISSING } from "../sync/run-sync.ts";
import { COMMITTED } from "./committed.ts";

test.skipIf(STACK_MISSING)("the script finds no fault in the folder", { timeout: 300_000 }, async () => {
  expect(await runSync(["validate"], { ENVIRONMENT: "development" })).toMatchObject({ code: EXIT.ok, err: "" });
});

test("all dashboards arrive in their folder, and a second run changes nothing", async () => {
  const grafana = await startGrafana("12.4.1");
  const env = {
    ...{ ENVIRONMENT: "development", GRAFANA_URL: grafana.url, GRAFANA_API_KEY: EDITOR_TOKEN },
    SYNC_STATE_DIR: createTemporaryFolder(),
  };
  expect(await runSync(["--insecure", "sync-dashboards"], env)).toMatchObject({ code: EXIT.ok, err: "" });
  expect([...grafana.dashboards.keys()].toSorted()).toEqual(COMMITTED.map(({ uid }) => uid).toSorted());
  for (const { folder } of grafana.dashboards.values()) expect(folder).toBe("orchestrator");
  expect(await runSync(["--insecure", "--check", "sync-dashboards"], env)).toMatchObject({ code: EXIT.ok });
});
