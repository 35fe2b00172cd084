/** A worker of {@link SLOTS} slots whose handler returns at once, and runs for it. */
import { createWorker } from "../../gen/typescript/worker/index.js";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import type { GrpcClient } from "./grpc-client.ts";

const SLOTS = 200;
const IN_FLIGHT = 200;
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

/** Starts a worker, made with the TypeScript library, whose handler returns at once. Returns what stops it. */
export function startNoopWorker(port: number): () => Promise<void> {
  const worker = createWorker({ address: `127.0.0.1:${port}`, name: "bench", slots: SLOTS });
  const running = worker.handle("noop", () => {}).run();
  return async () => {
    worker.stop();
    await running;
  };
}
