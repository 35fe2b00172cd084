/**
 * A worker over gRPC that never gives up: it registers again when its session is gone, reports every result until it is
 * answered, and says of everything it holds that it is alive.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../../src/api/client/client.ts";
import { isOrchestratorError } from "../../src/base/errors.ts";
import { TaskReportOutcome, type WorkerTask } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";

/** What a handler may do. */
export interface Handled {
  readonly task: WorkerTask;
  /** Acknowledges the task; resolves when the service has said that it knows. */
  acknowledge(): Promise<TaskReportOutcome>;
}

/** Returns the output; a text is thrown as the type of an error. */
export type Handler = (handled: Handled) => Promise<unknown>;

/** A running worker. */
export interface TestWorker {
  /** Ends it without a word. */
  kill(): Promise<void>;
}

type Report = { readonly taskToken: string; readonly event: { readonly case: string; readonly value: object } };

/** Starts a worker. `client` may lose its service at any time. */
export function startWorker(
  client: ApiClient,
  handlers: Readonly<Record<string, Handler>>,
  { slots = 8, name = "test", aliveMs = 300 } = {},
): TestWorker {
  const stop = new AbortController();
  const { signal } = stop;
  const held = new Set<string>();
  let sessionId = "";

  const report = async (taskToken: string, kind: string, value: object = {}): Promise<TaskReportOutcome> => {
    const reports = [{ taskToken, event: { case: kind, value } } satisfies Report] as never;
    while (!signal.aborted) {
      try {
        const { results } = await client.call(
          WorkerService.method.reportTasks,
          { sessionId: sessionId || "none", reports },
          { timeoutMs: 3_000 },
        );
        const outcome = results[0]?.outcome ?? TaskReportOutcome.UNAVAILABLE;
        if (outcome !== TaskReportOutcome.UNAVAILABLE) return outcome;
      } catch (error) {
        if (!isOrchestratorError(error)) throw error;
      }
      await sleep(50);
    }
    return TaskReportOutcome.UNAVAILABLE;
  };

  const handle = async (task: WorkerTask): Promise<void> => {
    const { taskToken } = task;
    if (held.has(taskToken)) return;
    held.add(taskToken);
    const acknowledge = (): Promise<TaskReportOutcome> => report(taskToken, "acknowledged");
    try {
      const output = await handlers[task.handler]?.({ task, acknowledge });
      const outputJson = new TextEncoder().encode(JSON.stringify(output ?? null));
      await report(taskToken, "succeeded", { outputValue: { case: "outputJson", value: outputJson } });
    } catch (error) {
      await report(taskToken, "failed", { type: String(error), message: String(error) });
    } finally {
      held.delete(taskToken);
    }
  };

  const poll = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        const registration = { name, queues: ["default"], handlers: Object.keys(handlers), slots };
        ({ sessionId } = await client.call(WorkerService.method.registerWorker, registration, { timeoutMs: 3_000 }));
        for await (const { event } of client.stream(WorkerService.method.pollTasks, { sessionId }, { signal }))
          if (event.case === "task") void handle(event.value);
      } catch (error) {
        if (!signal.aborted && !isOrchestratorError(error)) throw error;
      }
      await sleep(50, undefined, { signal }).catch(() => {});
    }
  };

  const beat = async (): Promise<void> => {
    while (!signal.aborted) {
      await sleep(aliveMs, undefined, { signal }).catch(() => {});
      await Promise.all([...held].map((token) => report(token, "alive")));
      if (held.size === 0)
        await client.call(WorkerService.method.reportTasks, { sessionId: sessionId || "none" }).catch(() => {});
    }
  };

  const running = Promise.all([poll(), beat()]);
  return {
    kill: async () => {
      stop.abort();
      await running;
    },
  };
}
