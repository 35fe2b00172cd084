/** A worker of {@link SLOTS} slots whose handler returns at once, and runs for it. */
import { openGrpcClient as openStreamingClient } from "../../src/api/client/grpc-client.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import type { GrpcClient } from "./grpc-client.ts";

const SLOTS = 200;
const IN_FLIGHT = 200;
/** Most reports in one call: the contract's. */
const MAX_REPORTS = 1_000;
const WAIT = { seconds: 50n, nanos: 0 };
const encoder = new TextEncoder();

const step = (id: string, more: object = {}) => ({ id, type: "worker", parameters: { handler: "noop" }, ...more });

/** A flow of three worker tasks in sequence. */
export function stepsFlow(id: string): Record<string, unknown> {
  return flow(id, [step("a"), step("b", { depends_on: ["a"] }), step("c", { depends_on: ["b"] })]);
}

/** A flow of these tasks. */
export function flow(id: string, tasks: readonly object[]): Record<string, unknown> {
  return { id, name: id, version: "1", workflow: { tasks } };
}

/** Starts a run and waits for its end. */
export async function runOnce(client: GrpcClient, flowId: string, input: object): Promise<void> {
  const inputValue = { case: "inputJson" as const, value: encoder.encode(JSON.stringify(input)) };
  const readMask = { paths: ["run_id", "state", "error"] };
  const { run } = await client.call(RunService.method.startRun, { flowId, inputValue, wait: WAIT, readMask });
  if (run?.state !== RunState.COMPLETED) throw new Error(`${flowId} is ${run?.state}: ${JSON.stringify(run?.error)}`);
}

/** Units per second of calls of `units` each, {@link IN_FLIGHT} at a time. */
export async function measureRate(call: () => Promise<unknown>, units: number, seconds: number): Promise<number> {
  const begun = performance.now();
  const until = begun + seconds * 1_000;
  let done = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      await call();
      done += units;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  return (done * 1_000) / (performance.now() - begun);
}

/** Starts a worker whose handler returns at once. Returns what stops it. */
export async function startNoopWorker(port: number): Promise<() => Promise<void>> {
  const client = openStreamingClient({ address: `127.0.0.1:${port}` });
  const stop = new AbortController();
  const worker = { name: "bench", handlers: ["noop"], slots: SLOTS };
  const { sessionId } = await client.call(WorkerService.method.registerWorker, worker);
  const waiting: string[] = [];
  let isSending = false;
  const send = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    // What arrives in the same turn of the loop goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const tokens = waiting.splice(0, MAX_REPORTS);
      const reports = tokens.map((taskToken) => ({ taskToken, event: { case: "succeeded" as const, value: {} } }));
      await client.call(WorkerService.method.reportTasks, { sessionId, reports });
    }
    isSending = false;
  };
  const read = async (): Promise<void> => {
    for await (const { event } of client.stream(
      WorkerService.method.pollTasks,
      { sessionId },
      { signal: stop.signal },
    )) {
      if (event.case !== "task") continue;
      waiting.push(event.value.taskToken);
      void send();
    }
  };
  const reading = read().catch(() => {});
  return async () => {
    stop.abort();
    await reading;
    await client.close();
  };
}
