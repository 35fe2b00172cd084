/**
 * Our service over gRPC: a 3-step run with unary `StartRun` and `wait`, or many with `BatchStartRuns`. The service runs
 * in its own process; this one is the client.
 */
import { readFile } from "node:fs/promises";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { type Run, RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveSubject } from "../harness/subject.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { startServiceProcess } from "./service-process.ts";

const WAIT = { seconds: 30n, nanos: 0 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

serveSubject(async (settings) => {
  const batch = Number(settings.batch);
  const service = await startServiceProcess({
    databaseUrl: String(settings.databaseUrl),
  });
  const client = openGrpcClient(service.port);
  const source = await readFile(new URL("../flows/three-steps.yaml", import.meta.url), "utf8");
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
  const startOne = async (index: number): Promise<number> => {
    const { run } = await client.call(RunService.method.startRun, {
      ...toRequest(index),
      wait: WAIT,
      readMask: ANSWER,
    });
    checkRun(run, index);
    return 1;
  };
  const startMany = async (index: number): Promise<number> => {
    const numbers = Array.from({ length: batch }, (_, place) => index * batch + place);
    const { results } = await client.call(RunService.method.batchStartRuns, {
      requests: numbers.map(toRequest),
      wait: WAIT,
      readMask: ANSWER,
    });
    numbers.forEach((number, place) => {
      const result = results[place]?.result;
      if (result?.case !== "run") throw new Error(`BatchStartRuns: ${JSON.stringify(result?.value)}`);
      checkRun(result.value, number);
    });
    return batch;
  };
  return {
    about: { client: "@grpc/grpc-js", batch },
    run: batch === 1 ? startOne : startMany,
    close: async () => {
      client.close();
      await service.close();
    },
  };
});

/** Fields of the response: the state, and the output as JSON text, which is its exact form. */
const ANSWER = { paths: ["run_id", "state", "output_json"] };

function toRequest(index: number) {
  return {
    flowId: "three-steps",
    inputValue: { case: "inputJson" as const, value: encoder.encode(`{"value":${index}}`) },
  };
}

function checkRun(run: Run | undefined, index: number): void {
  const output = run?.outputValue.case === "outputJson" ? decoder.decode(run.outputValue.value) : "";
  if (run?.state === RunState.COMPLETED && output === `{"value":${index + 3}}`) return;
  throw new Error(`Run ${run?.runId} answered state ${run?.state} and ${output} instead of ${index + 3}`);
}
