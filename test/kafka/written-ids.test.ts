/** Tasks with names of any text: executors, dead letters, tables, metrics, and calls know them as they are written. */
import { randomUUID } from "node:crypto";
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openKafkaService } from "../support/kafka-service.ts";

const service = await openKafkaService();
afterAll(() => service.close());

async function serve() {
  const { address, metricsPort } = await service.serve();
  const client = openGrpcClient({ address });
  onTestFinished(() => client.close());
  return { address, metricsPort, client };
}

const request = (runId: string, tasks: readonly object[]): object => ({
  ...{ run_id: runId, flow_id: "short", flow_definition: { tasks } },
});

const until = (runId: string, state: string): Promise<void> =>
  eventually(async () => expect(await service.statesOf([runId])).toEqual({ [state]: 1 }), { timeoutMs: 60_000 });

const NAMES = [
  ...["Send E-Mail", "send e-mail", "a.b/c", 'say "hi" ${x}', "日本語", "__proto__", "constructor", "line\nbreak"],
  "😀".repeat(255),
];
const LAST = "Größe: last";

/** All of {@link NAMES}, one after the other, and one that reads them all. */
const TASKS = [
  ...NAMES.map((id, index) => ({
    id,
    handler: "h",
    max_retries: 1,
    depends_on: NAMES.slice(Math.max(0, index - 1), index),
  })),
  { id: LAST, handler: "h", depends_on: NAMES },
];

test("executors, tables, metrics, and calls know tasks by their written names", async () => {
  const { address, metricsPort, client } = await serve();
  const runId = randomUUID();
  const executor = await service.execute(new Set([runId]), ({ task_id, attempt }) =>
    task_id === "Send E-Mail" && attempt === 0
      ? Promise.reject(new Error("not yet"))
      : Promise.resolve(`of ${task_id}`),
  );
  await service.send("flow_runs", request(runId, TASKS));
  await until(runId, "COMPLETED");
  expect(executor.taken.map(({ task_id }) => task_id)).toEqual(["Send E-Mail", ...NAMES, LAST]);
  expect(Object.entries(executor.taken.at(-1)?.inputs ?? {})).toEqual(NAMES.map((name) => [name, `of ${name}`]));
  const { rows } = await service.database.reads.query<{ task_id: string; attempts: number }>(
    "SELECT task_id, attempts FROM public.task_execution_history WHERE run_id = $1 ORDER BY id",
    [runId],
  );
  expect(rows).toEqual([...NAMES, LAST].map((task_id, index) => ({ task_id, attempts: index === 0 ? 2 : 1 })));
  const runs = await service.database.reads.query<{ output_data: unknown }>(
    "SELECT output_data FROM public.flow_run_history WHERE run_id = $1",
    [runId],
  );
  expect(runs.rows).toEqual([{ output_data: { [LAST]: `of ${LAST}` } }]);
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toContain('orchestrator_retry_attempts_total{task="Send E-Mail",handler="h"} 1');
  // Each attempt of a task was a message.
  const sent = /^orchestrator_outbox_delivery_seconds_count{destination="kafka"} (\d+)$/m.exec(metrics)?.[1];
  expect(Number(sent)).toBeGreaterThanOrEqual(executor.taken.length);

  const { tasks } = await client.call(RunService.method.listRunTasks, { runId });
  expect(tasks.map(({ externalId, name }) => [externalId, name])).toEqual([...NAMES, LAST].map((name) => [name, name]));
  for (const { taskId, externalId } of tasks) {
    expect(taskId).toMatch(/^[a-z][a-z0-9_-]*$/);
    const { task } = await client.call(RunService.method.getRunTask, { runId, taskId: externalId });
    expect(task?.taskId).toBe(taskId);
  }
  const path = encodeURIComponent("a.b/c");
  const shown = (await (await fetch(`http://${address}/v1/runs/${runId}/tasks/${path}`)).json()) as object;
  expect(shown).toMatchObject({ task: { externalId: "a.b/c" } });
});

test("dead letters and calls that end tasks know them, too", async () => {
  const { client } = await serve();
  const letters: Record<string, unknown>[] = [];
  const consumer = new Consumer({
    ...{ clientId: "letters", groupId: `${service.prefix}letters`, bootstrapBrokers: [service.broker] },
    deserializers: stringDeserializers,
  });
  const stream = await consumer.consume({ topics: [`${service.prefix}dead_letter_queue`], mode: "earliest" });
  stream.on("data", ({ value }: { readonly value: string }) => letters.push(JSON.parse(value)));
  const runId = randomUUID();
  const executor = await service.execute(new Set([runId]), () => new Promise(() => {}));
  await service.send(
    "flow_runs",
    request(runId, [
      { id: "By Hand", handler: "h" },
      { id: "Never/Ever", handler: "h", max_retries: 0 },
    ]),
  );
  await eventually(() => expect(executor.taken).toHaveLength(2), { timeoutMs: 30_000 });
  const completed = await client.call(RunService.method.completeTask, {
    ...{ runId, taskId: "By Hand", requestId: randomUUID() },
  });
  expect(completed.task).toMatchObject({ externalId: "By Hand" });
  await service.send("task_failed", { run_id: runId, task_id: "Never/Ever", error: "no", attempt: 0 });
  await eventually(() => expect(letters).toEqual([expect.objectContaining({ run_id: runId, task_id: "Never/Ever" })]), {
    timeoutMs: 30_000,
  });
  await stream.close();
  await consumer.close(true);
});

test("names that cannot be fail the run, which says which one", async () => {
  const { client } = await serve();
  const runId = randomUUID();
  await service.send("flow_runs", request(runId, [{ id: "x".repeat(256), handler: "h" }]));
  await until(runId, "FAILED");
  const { run } = await client.call(RunService.method.getRun, { runId });
  expect(run?.error).toMatchObject({
    type: "FLOW_INVALID",
    message: "the flow has 1 problem(s), first: tasks[0].id: it has 256 characters; the limit is 255",
  });
});
