/** Metrics of the runtime over the death of an instance. */
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { type ServeProcess, startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const { url, database } = await createTestDatabase();

const serve = (): Promise<ServeProcess> =>
  startServeForTest({ folder: createTemporaryFolder(), env: { DATABASE_URL: url } });

/** The values of a metric at an instance, by its labels as they are written. */
async function valuesOf({ metricsPort }: ServeProcess, name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const lines = text.split("\n").filter((line) => new RegExp(`^${name}[{ ]`).test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(name.length, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

test("commits, timers, ownership, and the takeover of an instance that was killed can be read", async () => {
  const instances = [await serve(), await serve()] as const;
  const post = async (path: string, body: object): Promise<void> => {
    const response = await fetch(`http://${instances[0].address}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(response.status, await response.text()).toBe(200);
  };
  await eventually(async () => {
    const shards = await Promise.all(instances.map((one) => valuesOf(one, "orchestrator_owned_shards")));
    expect(shards).toEqual([{ "": 32 }, { "": 32 }]);
  });
  const waits = [
    { id: "short", type: "wait", parameters: { duration: "100ms" } },
    { id: "long", type: "signal", depends_on: ["short"], parameters: { name: "s" } },
  ];
  await post("/v1/flows", { source: JSON.stringify({ id: "waits", workflow: { tasks: waits } }) });
  await Promise.all(Array.from({ length: 20 }, () => post("/v1/runs", { flow_id: "waits" })));
  const all = async (name: string): Promise<Record<string, number>> => {
    const sums: Record<string, number> = {};
    for (const one of instances)
      for (const [labels, value] of Object.entries(await valuesOf(one, name)))
        sums[labels] = (sums[labels] ?? 0) + value;
    return sums;
  };
  await eventually(async () => expect((await all("orchestrator_open_runs"))['{state="WAITING"}']).toBe(20));
  expect((await all("orchestrator_timer_lateness_seconds_count"))[""]).toBe(20);
  expect((await all("orchestrator_committed_transitions_total"))[""]).toBeGreaterThanOrEqual(40);
  expect((await all("orchestrator_commit_wait_seconds_count"))[""]).toBeGreaterThan(0);
  const pools = await valuesOf(instances[0], "orchestrator_db_pool_connections");
  expect(Object.keys(pools).sort()).toEqual(
    ["journal", "reads"].flatMap((pool) => ["idle", "in_use"].map((state) => `{pool="${pool}",state="${state}"}`)),
  );
  expect((await all("orchestrator_overdue_runs"))[""]).toBe(0);

  const [survivor, victim] = instances;
  await victim.stop("SIGKILL");
  await eventually(async () => {
    const taken = await valuesOf(survivor, "orchestrator_shards_taken_total");
    expect(taken['{after="death"}']).toBe(32);
  });
  await eventually(async () => {
    expect((await valuesOf(survivor, "orchestrator_takeover_seconds_count"))[""]).toBeGreaterThanOrEqual(2);
  });
});

test("what is long overdue, sits in the dead letters, or does not leave is counted with its age", async () => {
  const one = await serve();
  await database.journal.query(`INSERT INTO orchestrator.dead_letters
    (run_id, task_path, generation, tenant_id, flow_id, attempts, error_type, error_message, input, created_at)
    VALUES ('r', 't', 1, 'default', 'f', 1, 'E', 'm', 'null', now() - interval '1 hour')`);
  await eventually(async () => {
    expect((await valuesOf(one, "orchestrator_dead_letter_oldest_seconds"))[""]).toBeGreaterThan(3_599);
  });
  const { rows } = await database.reads.query<{ run_id: string }>("SELECT run_id FROM orchestrator.runs LIMIT 1");
  // Nobody owns a shard of this number: what is due there is never started.
  await database.journal.query(
    "UPDATE orchestrator.runs SET shard = 999, wake_at = now() - interval '2 minutes' WHERE run_id = $1",
    [rows[0]?.run_id ?? ""],
  );
  await eventually(async () => expect(await valuesOf(one, "orchestrator_overdue_runs")).toEqual({ "": 1 }));
  expect((await valuesOf(one, "orchestrator_overdue_seconds"))[""]).toBeGreaterThan(119);
});
