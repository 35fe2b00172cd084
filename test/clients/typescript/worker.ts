/**
 * A worker with the handlers that the scenarios ask for. ORCHESTRATOR_TEST_ADDR: host and port of the service. Prints a
 * line for everything that a scenario waits for.
 */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createWorker, NonRetryableError, TaskError } from "orchestrator-flows-client/worker";

const worker = createWorker({
  address: process.env.ORCHESTRATOR_TEST_ADDR ?? "",
  queues: ["test"],
  slots: 20,
  stopTimeoutMs: Number(process.env.STOP_TIMEOUT_MS ?? 20_000),
  log: (message) => console.log(`log ${message}`),
});

worker.handle("double", ({ n }: { n: number }) => ({ doubled: n * 2 }));

worker.handle("flaky", (_input, { attempt, idempotencyKey, fencingToken, runId, correlationId }) => {
  if (attempt < 3) throw new TaskError("FLAKY", `attempt ${attempt}`, { nextRetryDelayMs: 10 });
  return { attempt, idempotencyKey, fencingToken, runId, correlationId };
});

worker.handle("decline", () => {
  throw new NonRetryableError("CARD_DECLINED", "the card is declined");
});

worker.handle("broken", () => {
  throw new RangeError("out of range");
});

worker.handle("steps", (_input, task) => {
  task.progress({ current: task.attempt, total: 2 });
  task.log(`attempt ${task.attempt}`);
  if (task.attempt === 2) return { attempt: 2, ...(task.lastCheckpoint as object) };
  task.checkpoint({ page: 1 });
  throw new TaskError("AGAIN", "half of it is done");
});

worker.handle("detach", (_input, task) => task.detach());

/** Waits for a file; ends early when its result is no longer wanted. */
worker.handle("wait", async ({ file }: { file: string }, { attempt, fencingToken, signal }) => {
  console.log(`begun ${attempt}`);
  try {
    while (!existsSync(file)) await sleep(20, undefined, { signal });
  } catch (error) {
    console.log("aborted");
    throw error;
  }
  return { attempt, fencingToken };
});

await worker.run();
console.log("stopped");
