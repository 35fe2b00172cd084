/**
 * What the state of runs takes in Redis: `count` runs of three no-op tasks.
 *
 *   stateBytes  memory of the server for each run
 */
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../../harness/figures.ts";
import { openGrpcClient } from "../grpc-client.ts";
import { flow } from "../noop-worker.ts";
import { findFreePort, startServiceProcess } from "../service-process.ts";

const FLOW_ID = "noop-steps";
const STEPS = flow(FLOW_ID, [
  { id: "a", type: "noop" },
  { id: "b", type: "noop", depends_on: ["a"] },
  { id: "c", type: "noop", depends_on: ["b"] },
]);
const BATCH = 500;

serveFigures(async (settings) => {
  const count = Number(settings.count);
  const port = await findFreePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const redis = spawn("redis-server", options, { stdio: "ignore" });
  const failed = new Promise<never>((_, reject) => redis.once("error", reject));
  process.once("exit", () => redis.kill("SIGKILL"));
  const env = { ORCHESTRATOR_REDIS_URL: `redis://127.0.0.1:${port}` };
  const service = await Promise.race([startServiceProcess({ databaseUrl: String(settings.databaseUrl), env }), failed]);
  const client = openGrpcClient(service.port);
  try {
    const definition = { case: "source" as const, value: JSON.stringify(STEPS) };
    await client.call(FlowService.method.registerFlow, { definition });
    const requests = Array.from({ length: BATCH }, () => ({ flowId: FLOW_ID }));
    for (let begun = 0; begun < count; begun += BATCH)
      await client.call(RunService.method.batchStartRuns, { requests, wait: { seconds: 30n } });
    for (;;) {
      const { bytes, keys } = await readRedisSize(port);
      if (keys >= count) return { runs: count, stateBytes: bytes / keys };
      await delay(100);
    }
  } finally {
    client.close();
    await service.close();
    redis.kill("SIGKILL");
  }
});

/** Keys, and bytes that the server uses for them. */
async function readRedisSize(port: number): Promise<{ readonly bytes: number; readonly keys: number }> {
  const socket = connect(port, "127.0.0.1");
  socket.write("INFO memory\r\nDBSIZE\r\nQUIT\r\n");
  const answer = await text(socket);
  const numberOf = (line: RegExp): number => Number(line.exec(answer)?.[1]);
  return {
    bytes: numberOf(/^used_memory:(\d+)/m) - numberOf(/^used_memory_startup:(\d+)/m),
    keys: numberOf(/^:(\d+)/m),
  };
}
