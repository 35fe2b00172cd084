/** docs/how-to/services.md, executed: its configuration, its command, its flow, and its service. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState, TaskState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const text = readFileSync("docs/how-to/services.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("a run waits for the page's service across a kill of the process, and calls it with its token", async () => {
  const folder = createTemporaryFolder();
  const port = String(await findFreePort());
  const [config = "", flow = ""] = blocksOf("yaml");
  const [make = ""] = blocksOf("sh");
  const [service = ""] = blocksOf("python");
  execFileSync("sh", ["-c", make], { cwd: folder });
  writeFileSync(
    join(folder, "orchestrator.yaml"),
    config.replace("9000", port).replace("./secrets", join(folder, "secrets")),
  );
  writeFileSync(join(folder, "service.py"), service.replace("9000", port));

  const bed = await openWorkerBed({ ORCHESTRATOR_CONFIG: join(folder, "orchestrator.yaml") });
  const register = (value: string, validateOnly: boolean) =>
    bed.client.call(FlowService.method.registerFlow, { definition: { case: "source" as const, value }, validateOnly });
  await register(flow, false);
  const unknown = await register(flow.replace("service: billing", "service: biling"), true);
  expect(unknown.problems.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^there is no service biling; did you mean "billing"\?$/),
  ]);

  const runId = await bed.start("invoice", { invoice: "i-1" });
  await eventually(async () => {
    const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId });
    expect(tasks).toMatchObject([{ state: TaskState.RETRYING, error: { type: "CONNECTION_REFUSED" } }]);
  });
  await bed.restart();
  const python = spawn("python3", ["service.py"], { cwd: folder, stdio: "ignore" });
  onTestFinished(() => void python.kill());
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toEqual({ path: "/api/invoices/i-1" });
});
