/** Retries and timeouts of tasks for executors that set none come from the settings. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const service = await openKafkaService();
afterAll(() => service.close());

test("tasks that set nothing get the settings, which the journal has", async () => {
  await service.serve({
    ORCHESTRATOR_MAX_RETRY_ATTEMPTS: "1",
    ORCHESTRATOR_RETRY_BACKOFF_BASE: "1.5",
    ORCHESTRATOR_TASK_TIMEOUT_DEFAULT: "77",
  });
  const [short, own] = [randomUUID(), randomUUID()];
  const executor = await service.execute(new Set([short, own]), ({ attempt }) => {
    return attempt === 0 ? Promise.reject(new Error("not yet")) : Promise.resolve("done");
  });
  await service.send(
    "flow_runs",
    { run_id: short, flow_id: "short", flow_definition: { id: "short", tasks: [{ id: "a", handler: "h" }] } },
    flowRunRequest(own, [{ id: "a", type: "queue", parameters: { handler: "h" } }]),
  );
  await service.untilCompleted([short, own]);
  expect(executor.taken.map(({ max_retries, timeout }) => ({ max_retries, timeout }))).toEqual(
    Array.from({ length: 4 }, () => ({ max_retries: 1, timeout: 77 })),
  );
  const { rows } = await service.database.reads.query<{ records: string }>(
    "SELECT records FROM orchestrator.journal WHERE run_id = ANY($1)",
    [[short, own]],
  );
  const records = rows.flatMap((row) => JSON.parse(row.records) as Record<string, unknown>[]);
  const limits = { maxRetries: 1, initialDelayMs: 1_500, multiplier: 1.5, maxDelayMs: 86_400_000 };
  const scheduled = records.filter(({ type, attempt }) => type === "task.scheduled" && attempt === 1);
  expect(scheduled.map((record) => record.limits)).toEqual([
    { ...limits, startToCloseMs: 77_000 },
    { ...limits, startToCloseMs: 77_000 },
  ]);
  for (const { at: failedAt, dueAt } of records.filter(({ type }) => type === "task.retrying"))
    expect(Number(dueAt) - Number(failedAt)).toBe(1_500);
});
