/** A worker without a mind of its own: a test takes its tasks one by one, and says what is reported. */
import type { ApiClient } from "../../src/api/client/client.ts";
import { createQueue } from "../../src/base/queue.ts";
import type { TaskReportResult, WorkerTask } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { type TaskCancellation, WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import { eventually } from "./eventually.ts";

/** Longest wait for a message, milliseconds. */
const WAIT_MS = 20_000;

/** The tasks of a session. */
export interface HeldTasks {
  readonly sessionId: string;
  /** The next task that the service hands out. */
  next(): Promise<WorkerTask>;
  /** The next task that it wants stopped. */
  nextCancellation(): Promise<TaskCancellation>;
  /** Reports an event, again while the service is not there or cannot take it. */
  report(taskToken: string, kind: string, value?: object): Promise<TaskReportResult>;
  /** Ends the stream. */
  close(): void;
}

/** Registers a worker for these handlers. */
export async function holdTasks(client: ApiClient, handlers: string[], slots = 8): Promise<HeldTasks> {
  const registration = { name: "test", handlers, slots };
  const { sessionId } = await client.call(WorkerService.method.registerWorker, registration);
  const stop = new AbortController();
  const tasks = createQueue<WorkerTask>(stop.signal);
  const cancellations = createQueue<TaskCancellation>(stop.signal);
  const read = async (): Promise<void> => {
    for await (const { event } of client.stream(WorkerService.method.pollTasks, { sessionId }, stop)) {
      if (event.case === "task") tasks.push(event.value);
      if (event.case === "cancellation") cancellations.push(event.value);
    }
  };
  // A stream that breaks shows as a task that does not come.
  read().catch(() => {});
  const take = async <T>(taken: Promise<T | undefined>): Promise<T> => {
    const item = await taken;
    if (item === undefined) throw new Error("nothing came on the stream of tasks");
    return item;
  };
  return {
    sessionId,
    next: () => take(tasks.take(WAIT_MS)),
    nextCancellation: () => take(cancellations.take(WAIT_MS)),
    report: (taskToken, kind, value = {}) =>
      eventually(async () => {
        const reports = [{ taskToken, event: { case: kind, value } }] as never;
        const { results } = await client.call(WorkerService.method.reportTasks, { sessionId, reports });
        const [result] = results;
        if (result === undefined || result.outcome === TaskReportOutcome.UNAVAILABLE)
          throw new Error(result?.message ?? "there is no answer");
        return result;
      }),
    close: () => stop.abort(),
  };
}
