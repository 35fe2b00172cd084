/**
 * Tasks that an executor does over topics of eight partitions, 1,000 in flight, against a bare loop on the same broker:
 * the same executor reads a message and answers, and the next message is sent when its answer has been read. The
 * service runs maps of such tasks, many at a time, since the messages of a run go to one partition.
 */
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { serveFigures } from "../../harness/figures.ts";
import { startKafkaBroker } from "../../harness/kafka-broker.ts";
import { median } from "../../harness/load.ts";
import { openGrpcClient } from "../grpc-client.ts";
import { flow, runOnce } from "../noop-worker.ts";
import { startServiceProcess } from "../service-process.ts";
import { consume, openBatches } from "./client.ts";
import { startExecutor } from "./executor.ts";

const PARTITIONS = 8;
const IN_FLIGHT = 1_000;
/** Maps that run at a time, and items of each. */
const MAPS = 50;
const ITEMS = 200;
const FLOW_ID = "executor-map";

const MAP = {
  ...flow(FLOW_ID, [
    {
      id: "all",
      type: "map",
      parameters: {
        items: "${items}",
        max_concurrency: IN_FLIGHT / MAPS,
        task: { type: "queue", parameters: { handler: "noop" }, timeout: 120 },
      },
    },
  ]),
  variables: [{ name: "items", type: "array", required: true }],
};

serveFigures(async (settings) => {
  const seconds = Number(settings.seconds);
  const broker = await startKafkaBroker(String(settings.folder));
  const { address } = broker;
  const names = ["flow_runs", "task_queue", "task_done", "task_failed", "dead_letter_queue", "bare_queue", "bare_done"];
  await broker.createTopics(names, PARTITIONS);
  const service = await startServiceProcess({
    databaseUrl: String(settings.databaseUrl),
    env: { ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: address },
  });
  const client = openGrpcClient(service.port);
  const definition = { case: "source" as const, value: JSON.stringify(MAP) };
  await client.call(FlowService.method.registerFlow, { definition });
  const stopBare = await startExecutor({ address, from: "bare_queue", to: "bare_done" });
  const stopExecutor = await startExecutor({ address, from: "task_queue", to: "task_done" });
  const items = Array.from({ length: ITEMS }, (_, index) => index);
  const measureService = async (length: number): Promise<number> => {
    const begun = performance.now();
    let done = 0;
    const caller = async (): Promise<void> => {
      while (performance.now() - begun < length * 1_000) {
        await runOnce(client, FLOW_ID, { items });
        done += ITEMS;
      }
    };
    await Promise.all(Array.from({ length: MAPS }, caller));
    return (done * 1_000) / (performance.now() - begun);
  };
  const bare = await openBareLoop(address);
  const loops: number[] = [];
  const trips: number[] = [];
  // The first round warms up.
  for (let round = 0; round <= Number(settings.rounds); round++) {
    const loop = await bare.measure(round === 0 ? 1 : seconds);
    const trip = await measureService(round === 0 ? 1 : seconds);
    if (round === 0) continue;
    loops.push(loop);
    trips.push(trip);
  }
  await bare.close();
  await stopBare();
  await stopExecutor();
  client.close();
  await service.close();
  await broker.close();
  return {
    roundTripsPerSecond: median(trips),
    bareRoundTripsPerSecond: median(loops),
    roundTripShare: median(trips.map((rate, index) => rate / (loops[index] ?? Number.NaN))),
  };
});

/** Sends messages of the size of a task, {@link IN_FLIGHT} at a time, and counts the answers. */
async function openBareLoop(address: string) {
  const batches = openBatches(address);
  let done = 0;
  let open = 0;
  let isOpen = false;
  let drained = Promise.withResolvers<void>();
  const sendOne = (): void => {
    open += 1;
    const key = `run-${open % 64}-${done}`;
    const task = {
      ...{ event_type: "task_queued", run_id: key, flow_id: FLOW_ID, task_id: `all.${open}`, handler: "noop" },
      ...{ inputs: {}, attempt: 0, max_retries: 3, timeout: 120, idempotency_key: `${key}/all.${open}/1` },
      ...{ correlation_id: key, fencing_token: done, enqueued_at: new Date().toISOString() },
    };
    batches.send({ topic: "bare_queue", key, value: JSON.stringify(task) });
  };
  const stop = await consume(address, "bare_done", "bare", () => {
    done += 1;
    open -= 1;
    if (isOpen) sendOne();
    else if (open === 0) drained.resolve();
  });
  return {
    async measure(seconds: number): Promise<number> {
      drained = Promise.withResolvers();
      done = 0;
      isOpen = true;
      const begun = performance.now();
      for (let index = 0; index < IN_FLIGHT; index++) sendOne();
      setTimeout(() => {
        isOpen = false;
      }, seconds * 1_000);
      await drained.promise;
      return (done * 1_000) / (performance.now() - begun);
    },
    async close() {
      await stop();
      await batches.close();
    },
  };
}
