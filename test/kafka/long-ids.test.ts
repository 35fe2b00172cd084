/** Ids of the greatest length, over the topics of executors. */
import { afterAll, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openKafkaService } from "../support/kafka-service.ts";
import {
  LONG_CORRELATION_ID,
  LONG_MESSAGE,
  LONG_OUTPUT,
  LONG_PLACES,
  LONG_RUN_ID,
  startLongRun,
} from "../support/long-ids.ts";

const service = await openKafkaService();
afterAll(() => service.close());

test("the longest ids pass over topics, with children, a second visit, and a child run", async () => {
  const { address } = await service.serve();
  const client = openGrpcClient({ address });
  onTestFinished(() => client.close());
  await startLongRun(client, { type: "queue", parameters: { handler: "h".repeat(255), inputs: {} } }, false);
  let done = 0;
  const runs = new Set(LONG_PLACES.map((place) => place.split(" ")[0] ?? ""));
  const executor = await service.execute(runs, async () => (done += 1));
  await service.send("flow_runs", LONG_MESSAGE);
  await service.untilCompleted([LONG_RUN_ID]);
  expect(executor.taken.map(({ run_id, task_id }) => `${run_id} ${task_id}`)).toEqual(LONG_PLACES);
  for (const { correlation_id, handler } of executor.taken)
    expect([correlation_id, handler]).toEqual([LONG_CORRELATION_ID, "h".repeat(255)]);
  const { run } = await client.call(RunService.method.getRun, {
    runId: LONG_RUN_ID,
    readMask: { paths: ["output_json"] },
  });
  const output = run?.outputValue.case === "outputJson" ? new TextDecoder().decode(run.outputValue.value) : "null";
  expect(JSON.parse(output)).toEqual(LONG_OUTPUT);
  const { rows } = await service.database.reads.query(
    "SELECT task_id FROM public.task_execution_history WHERE run_id = $1 AND task_id LIKE '%.%' ORDER BY task_id",
    [LONG_RUN_ID],
  );
  expect(rows.map(({ task_id }) => `${LONG_RUN_ID} ${task_id}`)).toEqual(LONG_PLACES.slice(0, 4));
});
