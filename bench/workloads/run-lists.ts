/**
 * Lists over a million runs, called over gRPC: the newest page, a deep page, filters by state, flow, user, and label,
 * and counts. SQL fills the product's own table: 30 days, 20 flows, one run in twenty failed, the newest thousand open.
 */
import { createHash } from "node:crypto";
import pg from "pg";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { median } from "../harness/load.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { startServiceProcess } from "./service-process.ts";

const FLOWS = 20;
const DAYS = 30;
const OPEN = 1000;
const HASH = createHash("sha256").update("lists").digest("hex");

serveFigures(async (settings) => {
  const count = Number(settings.count);
  const databaseUrl = String(settings.databaseUrl);
  const service = await startServiceProcess({ databaseUrl });
  await insertRuns(databaseUrl, count);
  const client = openGrpcClient(service.port);
  const list = async (filter: string, pageToken = "", pageSize = 50, orderBy = ""): Promise<string> => {
    const request = { filter, pageSize, pageToken, orderBy };
    const { runs, nextPageToken } = await client.call(RunService.method.listRuns, request);
    if (runs.length === 0) throw new Error(`ListRuns with ${filter || "no filter"} found nothing`);
    return nextPageToken;
  };
  const countRuns = async (filter: string, expected: number): Promise<void> => {
    const answer = await client.call(RunService.method.countRuns, { filter });
    if (Number(answer.count) !== expected) throw new Error(`CountRuns gave ${answer.count} instead of ${expected}`);
  };
  // Deep pages are reached by tokens, as callers do.
  let deep = "";
  for (let page = 0; page < 20; page++) deep = await list("", deep, 500);
  const oldest = (filter: string, pageToken = "", pageSize = 50): Promise<string> =>
    list(filter, pageToken, pageSize, "create_time");
  let deepOldest = "";
  for (let page = 0; page < 20; page++) deepOldest = await oldest("", deepOldest, 500);
  const failed = Math.floor((count - 1) / 20) - Math.floor((OPEN - 1) / 20);
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    listNewestMs: () => list(""),
    listDeepMs: () => list("", deep, 500),
    listOldestMs: () => oldest(""),
    listOldestDeepMs: () => oldest("", deepOldest, 500),
    listOldestStateMs: () => oldest('state == "FAILED"'),
    listOldestFlowMs: () => oldest('flow_id == "flow-7"'),
    listOldestUserMs: () => oldest('user_id == "user-7"'),
    listOldestRareLabelMs: () => oldest(`labels["order"] == "order-10"`),
    listStateMs: () => list('state == "FAILED"'),
    listFlowMs: () => list('flow_id == "flow-7"'),
    listLabelMs: () => list('labels["team"] == "team-3" && state == "COMPLETED"'),
    listUserMs: () => list('user_id == "user-7"'),
    // One run of all, and an old one: only an index helps.
    listRareLabelMs: () => list(`labels["order"] == "order-${count - 10}"`),
    countAllMs: () => countRuns("", count),
    countFlowMs: () => countRuns('flow_id == "flow-7"', count / FLOWS),
    countFailedMs: () => countRuns('state == "FAILED"', failed),
  };
  const figures: Record<string, number> = { runs: count };
  for (const [name, call] of Object.entries(calls)) {
    const times: number[] = [];
    for (let index = 0; index <= Number(settings.calls); index++) {
      const started = performance.now();
      await call();
      if (index > 0) times.push(performance.now() - started);
    }
    figures[name] = median(times);
  }
  client.close();
  await service.close();
  return figures;
});

/**
 * Run n is n steps older than now. The newest are open, and one in twenty of the others has failed. The triggers of the
 * table count them, as they count all runs.
 */
async function insertRuns(databaseUrl: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("SET TIME ZONE 'UTC'");
  // These flows are not registered.
  await client.query("ALTER TABLE orchestrator.runs DISABLE TRIGGER runs_versions");
  await client.query(
    `INSERT INTO orchestrator.runs (run_id, shard, run_day, tenant_id, flow_id, version, flow_hash, state, moving, sequence,
       labels, user_id, correlation_id, run_key, parent_run_id, parent_task, created_at, updated_at, ended_at)
     SELECT 'list' || lpad(n::text, 22, '0'), n % 64, floor(extract(epoch FROM at) / 86400)::int, 'default', 'flow-' || n % $2, '1', $3,
       CASE WHEN n < $4 THEN 'WAITING' WHEN n % 20 = 0 THEN 'FAILED' ELSE 'COMPLETED' END, false, 8,
       jsonb_build_object('team', 'team-' || n % 10, 'order', 'order-' || n), 'user-' || n % 1000, '', '', '', '', at, at + interval '1 second',
       CASE WHEN n < $4 THEN NULL ELSE at + interval '1 second' END
     FROM (SELECT n, now() - n * (interval '1 day' * $5 / $1) AS at FROM generate_series(0, $1::int - 1) AS n) AS made`,
    [count, FLOWS, HASH, OPEN, DAYS],
  );
  // Autovacuum does this on any table that has grown; without it the figure would depend on when that happens.
  await client.query("VACUUM ANALYZE orchestrator.runs");
  await client.end();
}
