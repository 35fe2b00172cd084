/** A service of its own for tests of workers: a process, its client, and what they need most. */
import { onTestFinished } from "vitest";
import type { ApiClient } from "../../src/api/client/client.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import type { Run, RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";
import { type ServeProcess, startServe } from "./serve-process.ts";
import { createFileFolder } from "./temporary-folder.ts";

/** A running service. */
export interface WorkerBed {
  readonly client: ApiClient;
  readonly address: string;
  /** Data folder. */
  readonly folder: string;
  /** The process that runs it now. */
  readonly service: () => ServeProcess;
  /** Registers a flow in YAML: id, name, and version are added. `head`: lines before `workflow`. */
  register(flowId: string, workflow: string, head?: string): Promise<void>;
  /** Starts a run and returns its id. */
  start(flowId: string, input?: object): Promise<string>;
  /** Waits for a state of a run. */
  reaches(runId: string, state: RunState): Promise<Run>;
  /** The output of a run as JSON. */
  outputOf(runId: string): Promise<unknown>;
  /** Kills the process and starts another one on its folder and port. */
  restart(signal?: NodeJS.Signals, env?: Readonly<Record<string, string>>): Promise<void>;
}

/** Starts it; it ends with the test. `publicUrl`: others know its address. */
export async function openWorkerBed(
  env: Readonly<Record<string, string>> = {},
  { publicUrl = false } = {},
): Promise<WorkerBed> {
  const folder = createFileFolder();
  const port = await findFreePort();
  const address = `127.0.0.1:${port}`;
  const known = publicUrl ? { ORCHESTRATOR_PUBLIC_URL: `http://${address}` } : {};
  const begin = (more: Readonly<Record<string, string>> = {}): Promise<ServeProcess> =>
    startServe({ folder, port, env: { ORCHESTRATOR_LOG_FORMAT: "json", ...known, ...env, ...more } });
  let service = await begin();
  onTestFinished(() => void service.child.kill("SIGKILL"));
  const client = openGrpcClient({ address });
  onTestFinished(() => client.close());
  const read = async (runId: string, paths: string[]): Promise<Run> => {
    const { run } = await client.call(RunService.method.getRun, { runId, readMask: { paths } });
    if (run === undefined) throw new Error(`there is no run ${runId}`);
    return run;
  };
  return {
    client,
    address,
    folder,
    service: () => service,
    register: async (flowId, workflow, head = "") => {
      const value = `id: ${flowId}\nname: ${flowId}\nversion: "1"\n${head}workflow:\n${workflow}`;
      const definition = { case: "source" as const, value };
      const { problems } = await client.call(FlowService.method.registerFlow, { definition });
      if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join("; "));
    },
    start: async (flowId, input = {}) => {
      const inputValue = { case: "inputJson" as const, value: new TextEncoder().encode(JSON.stringify(input)) };
      return (await client.call(RunService.method.startRun, { flowId, inputValue })).run?.runId ?? "";
    },
    reaches: (runId, state) =>
      eventually(
        async () => {
          const run = await read(runId, ["state", "output_json", "error"]);
          if (run.state !== state) throw new Error(`the run is ${run.state}, ${run.error?.type} ${run.error?.message}`);
          return run;
        },
        { timeoutMs: 30_000 },
      ),
    outputOf: async (runId) => {
      const { outputValue } = await read(runId, ["output_json"]);
      return outputValue.case === "outputJson" ? JSON.parse(new TextDecoder().decode(outputValue.value)) : undefined;
    },
    restart: async (signal = "SIGKILL", more = {}) => {
      await service.stop(signal);
      service = await begin(more);
    },
  };
}
