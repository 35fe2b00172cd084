/** Gauges of the whole database, with two instances on it. */
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const { url, database } = await createTestDatabase();

const serve = (): Promise<ServeProcess> =>
  startServeForTest({ folder: createTemporaryFolder(), env: { DATABASE_URL: url } });

/** The samples of a metric at an instance. */
async function samplesOf({ metricsPort }: ServeProcess, name: string): Promise<readonly string[]> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return text.split("\n").filter((line) => line.startsWith(`${name} `));
}

test("one instance shows them, and when it ends the other one does", async () => {
  const instances = [await serve(), await serve()] as const;
  const post = async (path: string, body: object): Promise<void> => {
    const response = await fetch(`http://${instances[0].address}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(response.status, await response.text()).toBe(200);
  };
  const workflow = { tasks: [{ id: "t", type: "signal", parameters: { name: "s" } }] };
  await post("/v1/flows", { source: JSON.stringify({ id: "waits", workflow }) });
  await post("/v1/runs", { flow_id: "waits" });
  await eventually(async () => {
    const { rows } = await database.reads.query(
      "SELECT count(DISTINCT instance_id) AS owners FROM orchestrator.shard_leases WHERE instance_id IS NOT NULL",
    );
    expect(rows).toEqual([{ owners: 2 }]);
  });
  const show = (one: ServeProcess) => samplesOf(one, "orchestrator_active_runs");
  const shown = await eventually(async () => {
    const all = await Promise.all(instances.map(show));
    expect(all.flat()).toEqual(["orchestrator_active_runs 1"]);
    return all;
  });
  const [owner, other] = shown[0]?.length === 1 ? instances : [instances[1], instances[0]];
  await owner.stop();
  await eventually(async () => expect(await show(other)).toEqual(["orchestrator_active_runs 1"]));
});
