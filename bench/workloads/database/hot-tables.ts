/**
 * What small tables that change all the time come to while runs start and end at a steady rate: with autovacuum as the
 * server has it, then while another session keeps a transaction open, which keeps every dead row of its time.
 *
 *   rate              3-step runs a second
 *   connections       connections of the service to the database, at most
 *   transactionsPerRun, multixactsPerRun  ids that a run uses up, of those that a freeze takes back
 *   hotBytes          the small tables with their indexes, at most
 *   countMs           CountRuns, which reads them, p50
 *   updatesPerRun     changes of the row in `runs`, each of which leaves a dead row
 *   heldSeconds       how long the transaction was open
 *   heldHotBytes      the small tables at its end; they were vacuumed and cut off before it began
 *   heldBytesPerTransaction  how much they grew for each transaction meanwhile
 *   heldCountMs       CountRuns in its last ten seconds, p50
 *   freedCountMs      CountRuns after its end and a vacuum of the small tables, p50
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../../harness/figures.ts";
import { median } from "../../harness/load.ts";
import { type GrpcClient, openGrpcClient } from "../grpc-client.ts";
import { flow } from "../noop-worker.ts";
import { startServiceProcess } from "../service-process.ts";

const FLOW_ID = "noop-steps";
const STEPS = flow(FLOW_ID, [
  { id: "a", type: "noop" },
  { id: "b", type: "noop", depends_on: ["a"] },
  { id: "c", type: "noop", depends_on: ["b"] },
]);
/** Tables of few rows, which almost every commit or every renewal of a lease changes or locks. */
const HOT_TABLES = ["run_counts", "run_count_changes", "shard_leases", "instances"];
const CALLS_PER_SECOND = 100;
const LAST_SAMPLES = 10;

/** What the database shows at one moment. */
interface Sample {
  readonly hotBytes: number;
  readonly connections: number;
  readonly countMs: number;
}

serveFigures(async (settings) => {
  const seconds = Number(settings.seconds);
  const heldSeconds = Number(settings.heldSeconds);
  const rate = Number(settings.rate);
  const databaseUrl = String(settings.databaseUrl);
  const service = await startServiceProcess({ databaseUrl });
  const client = openGrpcClient(service.port);
  const database = new pg.Client({ connectionString: databaseUrl });
  const other = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  await other.connect();
  try {
    await client.call(FlowService.method.registerFlow, {
      definition: { case: "source", value: JSON.stringify(STEPS) },
    });
    const before = await readIds();
    const load = startLoad(client, rate);
    const free = await sampleFor(seconds);
    await vacuum();
    const freedBytes = await readHotBytes();
    const freeIds = await readIds();
    await other.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await other.query("SELECT FROM orchestrator.settings");
    const held = await sampleFor(heldSeconds);
    await other.query("COMMIT");
    const heldIds = await readIds();
    const runs = await load.stop();
    await vacuum();
    const freed = await sampleFor(LAST_SAMPLES);
    const heldHotBytes = held.at(-1)?.hotBytes ?? Number.NaN;
    return {
      rate: runs / (seconds + heldSeconds),
      connections: Math.max(...free.map(({ connections }) => connections)),
      transactionsPerRun: (heldIds.transactions - before.transactions) / runs,
      multixactsPerRun: (heldIds.multixacts - before.multixacts) / runs,
      hotBytes: Math.max(...free.map(({ hotBytes }) => hotBytes)),
      countMs: median(free.map(({ countMs }) => countMs)),
      updatesPerRun: await readUpdatesPerRun(),
      heldSeconds,
      heldHotBytes,
      heldBytesPerTransaction: (heldHotBytes - freedBytes) / (heldIds.transactions - freeIds.transactions),
      heldCountMs: median(held.slice(-LAST_SAMPLES).map(({ countMs }) => countMs)),
      freedCountMs: median(freed.map(({ countMs }) => countMs)),
    };
  } finally {
    client.close();
    await other.end();
    await database.end();
    await service.close();
  }

  /** One sample a second. */
  async function sampleFor(length: number): Promise<readonly Sample[]> {
    const samples: Sample[] = [];
    const end = performance.now() + length * 1_000;
    while (performance.now() < end) {
      const begun = performance.now();
      await client.call(RunService.method.countRuns, {});
      const countMs = performance.now() - begun;
      const hotBytes = await readHotBytes();
      const { rows } = await database.query<Pick<Sample, "connections">>(
        `SELECT count(*)::float8 AS connections FROM pg_stat_activity
        WHERE application_name LIKE 'orchestrator%' AND datname = current_database()`,
      );
      const [row] = rows;
      if (row !== undefined) samples.push({ ...row, hotBytes, countMs });
      await delay(Math.max(0, 1_000 - (performance.now() - begun)));
    }
    return samples;
  }

  /** Gives the end of the tables back, too, which the service does without: batches would wait for it. */
  async function vacuum(): Promise<void> {
    for (const table of HOT_TABLES) await database.query(`VACUUM (TRUNCATE true) orchestrator.${table}`);
  }

  async function readHotBytes(): Promise<number> {
    const { rows } = await database.query<{ bytes: number }>(
      `SELECT sum(pg_total_relation_size(('orchestrator.' || name)::regclass))::float8 AS bytes
      FROM unnest($1::text[]) AS name`,
      [HOT_TABLES],
    );
    return rows[0]?.bytes ?? Number.NaN;
  }

  async function readUpdatesPerRun(): Promise<number> {
    const { rows } = await database.query<{ share: number }>(
      `SELECT n_tup_upd::float8 / n_tup_ins AS share FROM pg_stat_user_tables
      WHERE relid = 'orchestrator.runs'::regclass`,
    );
    return rows[0]?.share ?? Number.NaN;
  }

  /** How many ids the database has given out since its rows were frozen last. */
  async function readIds(): Promise<{ readonly transactions: number; readonly multixacts: number }> {
    const { rows } = await database.query<{ transactions: number; multixacts: number }>(
      `SELECT age(datfrozenxid)::float8 AS transactions, mxid_age(datminmxid)::float8 AS multixacts
      FROM pg_database WHERE datname = current_database()`,
    );
    return rows[0] ?? { transactions: Number.NaN, multixacts: Number.NaN };
  }
});

/** Starts batches at a steady rate. `stop` resolves with the number of runs when all of them have ended. */
function startLoad(client: GrpcClient, rate: number): { readonly stop: () => Promise<number> } {
  const requests = Array.from({ length: rate / CALLS_PER_SECOND }, () => ({ flowId: FLOW_ID }));
  const open: Promise<unknown>[] = [];
  const timer = setInterval(() => {
    const call = client.call(RunService.method.batchStartRuns, { requests, wait: { seconds: 30n } });
    // `stop` throws the error.
    call.catch(() => {});
    open.push(call);
  }, 1_000 / CALLS_PER_SECOND);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(open);
      return open.length * requests.length;
    },
  };
}
