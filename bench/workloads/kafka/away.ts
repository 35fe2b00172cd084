/**
 * Kafka stands still while runs are started, each of which sends a message: the time of StartRun before and meanwhile
 * (99th percentile, from the time at which a call is due), and how long the messages take that were left behind.
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../../harness/figures.ts";
import { startKafkaBroker } from "../../harness/kafka-broker.ts";
import { percentile } from "../../harness/load.ts";
import { type GrpcClient, openGrpcClient } from "../grpc-client.ts";
import { flow } from "../noop-worker.ts";
import { startServiceProcess } from "../service-process.ts";

const FLOW_ID = "sends";

serveFigures(async (settings) => {
  const databaseUrl = String(settings.databaseUrl);
  const rate = Number(settings.startsPerSecond);
  const broker = await startKafkaBroker(String(settings.folder));
  await broker.createTopics(["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue"], 8);
  const service = await startServiceProcess({
    databaseUrl,
    env: { ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: broker.address },
  });
  const client = openGrpcClient(service.port);
  // Nobody does the task: it has been sent, which is what counts here.
  const definition = flow(FLOW_ID, [{ id: "do", type: "queue", parameters: { handler: "noop" }, timeout: 3_600 }]);
  await client.call(FlowService.method.registerFlow, {
    definition: { case: "source", value: JSON.stringify(definition) },
  });
  const database = new pg.Client(databaseUrl);
  await database.connect();
  const countUnsent = async (): Promise<number> =>
    Number((await database.query("SELECT count(*)::int AS unsent FROM orchestrator.outbox")).rows[0].unsent);
  const untilSent = async (): Promise<void> => {
    while ((await countUnsent()) > 0) await delay(50);
  };
  await startRuns(client, rate, Number(settings.beforeSeconds) / 2);
  const before = await startRuns(client, rate, Number(settings.beforeSeconds));
  await untilSent();
  broker.signal("SIGSTOP");
  const away = await startRuns(client, rate, Number(settings.awaySeconds));
  const leftBehind = await countUnsent();
  broker.signal("SIGCONT");
  const backAt = performance.now();
  await untilSent();
  const drainMs = performance.now() - backAt;
  await database.end();
  client.close();
  await service.close();
  await broker.close();
  return {
    awaySeconds: Number(settings.awaySeconds),
    startsPerSecond: rate,
    beforeP99Ms: before,
    awayP99Ms: away,
    p99Share: away / before,
    leftBehindMessages: leftBehind,
    drainMs,
  };
});

/** Starts runs at a rate, whatever the time of a call; resolves with the 99th percentile of that, in milliseconds. */
async function startRuns(client: GrpcClient, rate: number, seconds: number): Promise<number> {
  const begun = performance.now();
  const times: number[] = [];
  const calls: Promise<void>[] = [];
  const total = Math.round(rate * seconds);
  while (calls.length < total) {
    const dueAt = begun + (calls.length * 1_000) / rate;
    if (performance.now() < dueAt) await delay(1);
    else {
      const call = client.call(RunService.method.startRun, { flowId: FLOW_ID });
      calls.push(call.then(() => void times.push(performance.now() - dueAt)));
    }
  }
  await Promise.all(calls);
  return percentile(
    times.sort((a, b) => a - b),
    0.99,
  );
}
