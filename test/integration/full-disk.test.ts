/**
 * The service on a disk that is full: a small file system in memory, seen by its process alone. Needs root on Linux.
 */
import { spawn } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { cleanEnvironment } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const FLOW = `
id: keep
version: "1"
variables:
  - {name: text, type: string}
workflow:
  tasks:
    - {id: wait, type: signal, parameters: {name: go}}
`;

async function serveOnSmallDisk() {
  const folder = createTemporaryFolder();
  const port = await findFreePort();
  const script = `mount -t tmpfs -o size=150m,mode=755 tmpfs ${folder} && exec "$0" src/main.ts serve`;
  const child = spawn("unshare", ["-m", "sh", "-c", script, process.execPath], {
    env: {
      ...cleanEnvironment(),
      ORCHESTRATOR_PORT: String(port),
      ORCHESTRATOR_METRICS_PORT: String(await findFreePort()),
      ORCHESTRATOR_DATA_DIR: join(folder, "data"),
      ORCHESTRATOR_LOG_FORMAT: "json",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk));
  const gone = new Promise<number | null>((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await gone;
  });
  const readiness = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).text();
  await eventually(async () => expect(await readiness()).toContain('"ready"'), { timeoutMs: 60_000 });
  const client = openGrpcClient({ address: `127.0.0.1:${port}` });
  onTestFinished(() => client.close());
  return { client, readiness, disk: `/proc/${child.pid}/root${folder}`, output: () => output };
}

// Cause: SQLSTATE 53100 was taken for overload, so callers heard that the database cannot be reached, probes saw a
// ready service, each call wrote a warning, and a large run was put into quarantine.
test.skipIf(process.getuid?.() !== 0)(
  "a full disk is told to callers and probes, once in the log, and passes without a restart",
  async () => {
    const { client, readiness, disk, output } = await serveOnSmallDisk();
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
    const { run } = await client.call(RunService.method.startRun, { flowId: "keep" });
    const runId = run?.runId ?? "";
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, "filler"), Buffer.alloc(bavail * bsize));
    const text = Array.from({ length: 200_000 }, () => String.fromCharCode(97 + Math.random() * 26)).join("");
    const inputValue = { case: "inputJson" as const, value: Buffer.from(JSON.stringify({ text })) };
    const start = () => client.call(RunService.method.startRun, { flowId: "keep", inputValue });
    for (let index = 0; index < 8; index += 1) await start().catch(() => null);
    await expect(start()).rejects.toMatchObject({ code: "STORE_FULL" });
    const dataValue = { case: "dataJson" as const, value: Buffer.from(JSON.stringify(text)) };
    const signal = client.call(RunService.method.signalRun, { runId, signalName: "go", dataValue });
    await expect(signal).rejects.toMatchObject({ code: "STORE_FULL" });
    expect(await readiness()).toContain("disk");
    expect(output().match(/"level":"error"/g)).toHaveLength(1);
    // Not one for each call.
    expect(
      output()
        .split("\n")
        .filter(
          (line) => line.includes(`"level":"warn"`) && line.includes("STORE_FULL") && line.includes("request_id"),
        ),
    ).toEqual([]);
    rmSync(join(disk, "filler"));
    await eventually(async () => expect(await readiness()).toContain('"ready"'), { timeoutMs: 15_000 });
    expect((await start()).run?.state).toBe(RunState.WAITING);
    const ended = await client.call(RunService.method.waitRun, { runId, wait: { seconds: 20n } });
    expect(ended.run?.state).toBe(RunState.COMPLETED);
  },
);
