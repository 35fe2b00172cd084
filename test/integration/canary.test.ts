/** Canaries of a real service: their whole way, what is seen of them, and what becomes of their rows. */
import { expect, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createCanaryStore } from "../../src/store/canary/canaries.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { countStatements } from "../support/statement-counter.ts";
import { openWorkerBed, type WorkerBed } from "../support/worker-service.ts";

async function openCanaryBed() {
  const { database, url } = await createTestDatabase();
  const bed = await openWorkerBed({ DATABASE_URL: url, ORCHESTRATOR_CANARY_INTERVAL: "1s" });
  return { database, bed };
}

async function read({ service }: WorkerBed, name: string): Promise<number | null> {
  const text = await (await fetch(`http://127.0.0.1:${service().metricsPort}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
}

const SUCCESSES = 'orchestrator_canary_runs_total{outcome="success"}';
const LOST = "orchestrator_canary_lost_runs";

async function list({ client }: WorkerBed, filter: string) {
  return (await client.call(RunService.method.listRuns, { filter })).runs;
}

test("canaries complete, are counted, and are in lists only for those who name them", async () => {
  const { bed } = await openCanaryBed();
  await eventually(async () => expect(await read(bed, SUCCESSES)).toBeGreaterThan(2), { timeoutMs: 20_000 });
  expect(await list(bed, "")).toEqual([]);
  const runs = await list(bed, 'flow_id == "orchestrator-canary" && state == "COMPLETED"');
  expect(runs.length).toBeGreaterThan(2);
  const last = await read(bed, "orchestrator_canary_last_success_timestamp_seconds");
  expect(Math.abs(Date.now() / 1_000 - (last ?? 0))).toBeLessThan(60);
  expect(await read(bed, LOST)).toBe(0);
  // They are no traffic.
  for (const name of ['orchestrator_runs_started_total{begins="now"}', "orchestrator_tasks_scheduled_total"])
    expect([name, await read(bed, name)]).toEqual([name, 0]);
  expect(bed.service().output()).not.toContain("run started");
});

test("a canary whose row is gone is lost, for the instance that started it and for its successor", async () => {
  const { bed, database } = await openCanaryBed();
  await eventually(async () => expect(await read(bed, SUCCESSES)).toBeGreaterThan(2), { timeoutMs: 20_000 });
  const { rows } = await database.journal.query<{ run_id: string }>(
    "DELETE FROM orchestrator.runs WHERE run_id = (SELECT min(run_id) FROM orchestrator.runs WHERE ended_at IS NOT NULL) RETURNING run_id",
  );
  const lost = rows[0]?.run_id ?? "";
  await eventually(async () => expect(await read(bed, LOST)).toBe(1), { timeoutMs: 20_000 });
  await eventually(() => expect(bed.service().output()).toContain("an acknowledged run is lost"));
  await bed.restart("SIGKILL");
  await eventually(async () => expect(await read(bed, LOST)).toBe(1), { timeoutMs: 20_000 });
  await eventually(() => expect(bed.service().output()).toContain(lost));
});

test("old canaries are removed with all their rows, other runs and what went wrong stay", async () => {
  const { bed, database } = await openCanaryBed();
  await bed.register("mine", "  tasks:\n    - {id: a, type: noop}\n");
  const mine = await bed.start("mine");
  await bed.reaches(mine, RunState.COMPLETED);
  await eventually(async () => expect(await read(bed, SUCCESSES)).toBeGreaterThan(2), { timeoutMs: 20_000 });
  await bed.service().stop("SIGTERM");
  const { journal } = database;
  const age = (hours: number, state: string) =>
    journal.query(
      `UPDATE orchestrator.runs SET created_at = created_at - interval '${hours} hours', ended_at = ended_at - interval '${hours} hours', state = $1
      WHERE run_id = (SELECT min(run_id) FROM orchestrator.runs WHERE flow_id = 'orchestrator-canary' AND created_at > now() - interval '1 hour')`,
      [state],
    );
  await age(4, "COMPLETED");
  await age(4, "FAILED");
  await journal.query(
    "UPDATE orchestrator.runs SET ended_at = ended_at - interval '9 days', created_at = created_at - interval '9 days' WHERE run_id = $1",
    [mine],
  );
  const idsOf = async () =>
    (await journal.query<{ run_id: string }>("SELECT run_id FROM orchestrator.runs ORDER BY run_id")).rows.map(
      (row) => row.run_id,
    );
  const before = await idsOf();
  expect(await createCanaryStore(database, "orchestrator-canary").removeOld()).toBe(1);
  const after = await idsOf();
  const gone = before.filter((id) => !after.includes(id));
  expect(gone).toHaveLength(1);
  expect(after).toContain(mine);
  // In whatever table a run may leave something.
  const { rows: columns } = await journal.query<{ name: string }>(
    `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.columns
    JOIN information_schema.tables USING (table_schema, table_name)
    WHERE column_name = 'run_id' AND table_schema = 'orchestrator' AND table_type = 'BASE TABLE'`,
  );
  expect(columns.length).toBeGreaterThan(10);
  for (const { name } of columns) {
    const { rows } = await journal.query(`SELECT FROM ${name} WHERE run_id = ANY($1)`, [gone]);
    expect([name, rows.length]).toEqual([name, 0]);
  }
});

test("a canary costs few statements", async () => {
  const counter = await countStatements((await createTestDatabase()).url);
  const bed = await openWorkerBed({ DATABASE_URL: counter.url, ORCHESTRATOR_CANARY_INTERVAL: "1s" });
  // The first one registers its flow, and removes old ones.
  await eventually(async () => expect(await read(bed, SUCCESSES)).toBeGreaterThan(2), { timeoutMs: 20_000 });
  const successes = (await read(bed, SUCCESSES)) ?? 0;
  const from = counter.count();
  const startedAt = performance.now();
  // Reading the metrics would ask for counts.
  await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(15_000), { timeoutMs: 20_000 });
  const statements = counter.count() - from;
  const seconds = (performance.now() - startedAt) / 1_000;
  const canaries = ((await read(bed, SUCCESSES)) ?? 0) - successes;
  expect(canaries).toBeGreaterThan(5);
  // Three of its own, and one that brings counts up to date. Besides, a service that does nothing asks up to once in a
  // second.
  expect((statements - seconds) / canaries, `${statements} in ${seconds} s`).toBeLessThan(4.5);
});
