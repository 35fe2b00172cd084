/**
 * Runs of three no-op tasks that messages start, against the same runs with BatchStartRuns, whose calls wait for the
 * ends of their runs. The topic is filled before the service starts to read. Both are done by a service of their own on
 * one database, one after the other, and both warm up with a fifth of the runs: the rate of the messages counts from
 * the time when so many runs have ended to the end of the last one, by the clock of the store.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../../harness/figures.ts";
import { openProducer, startKafkaBroker } from "../../harness/kafka-broker.ts";
import { median } from "../../harness/load.ts";
import { type GrpcClient, openGrpcClient } from "../grpc-client.ts";
import { startServiceProcess } from "../service-process.ts";

const PARTITIONS = 8;
const BATCH = 100;
const CALLS = 10;
const WAIT = { seconds: 50n, nanos: 0 };
const FLOW_ID = "three-steps";
/** Part of the runs that warms a service up. */
const WARM_UP = 0.2;
const COUNT = `
  SELECT count(*) FILTER (WHERE state = 'COMPLETED')::int AS ended,
    count(*) FILTER (WHERE state = 'FAILED')::int AS failed,
    extract(epoch FROM max(ended_at) - percentile_disc(${WARM_UP}) WITHIN GROUP (ORDER BY ended_at))::float8 AS seconds
  FROM orchestrator.runs WHERE user_id = $1`;
const encoder = new TextEncoder();

serveFigures(async (settings) => {
  const databaseUrl = String(settings.databaseUrl);
  const count = Number(settings.runs);
  const broker = await startKafkaBroker(String(settings.folder));
  const source = await readFile(new URL("../../flows/three-steps.yaml", import.meta.url), "utf8");
  const database = new pg.Client(databaseUrl);
  await database.connect();
  const batches: number[] = [];
  const starts: number[] = [];
  for (let round = 0; round < Number(settings.rounds); round++) {
    const prefix = `r${round}_`;
    await broker.createTopics(
      ["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue"].map((name) => prefix + name),
      PARTITIONS,
    );
    await fill(broker.address, prefix, count);
    const plain = await startServiceProcess({ databaseUrl });
    const caller = openGrpcClient(plain.port);
    await caller.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
    await startAll(caller, count * WARM_UP);
    const begun = performance.now();
    await startAll(caller, count);
    batches.push((count * 1_000) / (performance.now() - begun));
    caller.close();
    await plain.close();

    const reader = await startServiceProcess({
      databaseUrl,
      env: {
        ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: broker.address,
        ORCHESTRATOR_KAFKA_TOPIC_PREFIX: prefix,
        ORCHESTRATOR_KAFKA_AUTO_OFFSET_RESET: "earliest",
      },
    });
    starts.push(await rateOf(database, prefix, count));
    await reader.close();
  }
  await database.end();
  await broker.close();
  return {
    runs: count,
    startsPerSecond: median(starts),
    batchRunsPerSecond: median(batches),
    startShare: median(starts.map((rate, index) => rate / (batches[index] ?? Number.NaN))),
  };
});

async function fill(address: string, prefix: string, count: number): Promise<void> {
  const producer = openProducer(address);
  const same = { event_type: "flow_run_requested", flow_id: FLOW_ID, user_id: prefix };
  for (let sent = 0; sent < count; sent += 1_000) {
    const messages = Array.from({ length: Math.min(1_000, count - sent) }, (_, place) => {
      const key = randomUUID();
      const value = JSON.stringify({ ...same, run_id: key, input: { value: sent + place } });
      return { topic: `${prefix}flow_runs`, key, value };
    });
    await producer.send({ messages });
  }
  await producer.close(true);
}

/** Starts runs in batches, {@link CALLS} calls at a time, and waits for their ends. */
async function startAll(client: GrpcClient, count: number): Promise<void> {
  let left = count;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      const size = Math.min(BATCH, left);
      left -= size;
      const inputValue = { case: "inputJson" as const, value: encoder.encode('{"value":1}') };
      const { results } = await client.call(RunService.method.batchStartRuns, {
        requests: Array.from({ length: size }, () => ({ flowId: FLOW_ID, inputValue })),
        wait: WAIT,
        readMask: { paths: ["run_id", "state"] },
      });
      for (const { result } of results)
        if (result.case !== "run" || result.value.state !== RunState.COMPLETED)
          throw new Error(`BatchStartRuns: ${JSON.stringify(result.value)}`);
    }
  };
  await Promise.all(Array.from({ length: CALLS }, caller));
}

/** Runs of a user per second after those of the warm-up, when all have ended. */
async function rateOf(database: pg.Client, userId: string, total: number): Promise<number> {
  for (;;) {
    const { rows } = await database.query(COUNT, [userId]);
    const { ended, failed, seconds } = rows[0] as Record<"ended" | "failed" | "seconds", number>;
    if (failed > 0) throw new Error(`${failed} runs have failed`);
    if (ended === total) return (total * (1 - WARM_UP)) / seconds;
    await delay(200);
  }
}
