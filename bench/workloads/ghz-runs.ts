/**
 * Our service over gRPC, driven by an independent load generator, ghz: unary `StartRun` with `wait`, one connection.
 * Afterwards the service must report every run as COMPLETED.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import type { Load, LoadResult, WindowMarks } from "../harness/load.ts";
import { serveSubject } from "../harness/subject.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { startServiceProcess } from "./service-process.ts";

const runFile = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const program = path.join(root, ".tools/bin/ghz");

/** Used fields of ghz's report; times in nanoseconds. */
interface GhzReport {
  readonly count: number;
  readonly total: number;
  readonly statusCodeDistribution: Readonly<Record<string, number>>;
  readonly latencyDistribution: readonly { readonly percentage: number; readonly latency: number }[];
}

serveSubject(async (settings) => {
  if (!existsSync(program)) throw new Error("ghz is not installed: run the benchmark by `make bench`.");
  const image = path.join(String(settings.folder), "contracts.binpb");
  await runFile(path.join(root, "node_modules/.bin/buf"), ["build", "-o", image], { cwd: root });
  const service = await startServiceProcess({
    databaseUrl: String(settings.databaseUrl),
  });
  const client = openGrpcClient(service.port);
  const source = await readFile(new URL("../flows/three-steps.yaml", import.meta.url), "utf8");
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: source } });
  const request = path.join(String(settings.folder), "start-run.json");
  await writeFile(
    request,
    JSON.stringify({
      flow_id: "three-steps",
      input_json: Buffer.from('{"value":1}').toString("base64"),
      wait: "30s",
      // ghz takes field masks in their message form.
      read_mask: { paths: ["run_id", "state", "output_json"] },
    }),
  );
  const runGhz = async (load: Load, seconds: number): Promise<GhzReport> => {
    const { stdout } = await runFile(
      program,
      [
        ...["--insecure", "--protoset", image, "--call", "orchestrator.v1.RunService/StartRun"],
        ...["--data-file", request, "--disable-template-functions", "--disable-template-data"],
        ...["--concurrency", String(load.inFlight), "--connections", "1", "--timeout", "60s"],
        ...["--duration", `${seconds}s`, "--duration-stop", "wait", "--format", "json"],
        `127.0.0.1:${service.port}`,
      ],
      { maxBuffer: 2 ** 28 },
    );
    const report = JSON.parse(stdout) as GhzReport;
    if (report.statusCodeDistribution["OK"] !== report.count) {
      throw new Error(`ghz: ${JSON.stringify(report.statusCodeDistribution)}`);
    }
    return report;
  };
  let answered = 0;
  return {
    about: { client: "ghz", version: await readGhzVersion() },
    drive: async (load: Load, marks: WindowMarks) => {
      const warm = load.warmSeconds > 0 ? (await runGhz(load, load.warmSeconds)).count : 0;
      marks.onBegin();
      const report = await runGhz(load, load.seconds);
      marks.onEnd();
      answered += warm + report.count;
      const { stateCounts } = await client.call(RunService.method.countRuns, {});
      const completed = Number(stateCounts.find(({ state }) => state === RunState.COMPLETED)?.count ?? 0);
      if (completed !== answered) throw new Error(`${answered} runs were answered, ${completed} are COMPLETED`);
      return { result: toResult(report), total: warm + report.count };
    },
    close: async () => {
      client.close();
      await service.close();
    },
  };
});

function toResult(report: GhzReport): LoadResult {
  const seconds = report.total / 1e9;
  const at = (share: number): number =>
    (report.latencyDistribution.find(({ percentage }) => percentage === share)?.latency ?? Number.NaN) / 1e6;
  return {
    runs: report.count,
    seconds,
    runsPerSecond: report.count / seconds,
    p50Ms: at(50),
    p90Ms: at(90),
    p99Ms: at(99),
  };
}

async function readGhzVersion(): Promise<string> {
  const mod = await readFile(new URL("../ghz/go.mod", import.meta.url), "utf8");
  return /bojand\/ghz (v\S+)/.exec(mod)?.[1] ?? "unknown";
}
