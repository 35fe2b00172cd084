/** docs/how-to/models.md, executed: its configuration, its command, its flow, and its server. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openWorkerBed } from "../../support/worker-service.ts";

/** Each test starts processes of its own. */
const SLOW_MS = 180_000;

const text = readFileSync("docs/how-to/models.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test(
  "the page's flow asks the page's model with its key",
  async () => {
    const folder = createTemporaryFolder();
    const port = String(await findFreePort());
    const [config = "", flow = ""] = blocksOf("yaml");
    const [make = ""] = blocksOf("sh");
    const [server = ""] = blocksOf("python");
    execFileSync("sh", ["-c", make], { cwd: folder });
    writeFileSync(
      join(folder, "orchestrator.yaml"),
      config.replace("9100", port).replace("./secrets", join(folder, "secrets")),
    );
    writeFileSync(join(folder, "model.py"), server.replace("9100", port));
    const python = spawn("python3", ["model.py"], { cwd: folder, stdio: "ignore" });
    onTestFinished(() => void python.kill());

    const bed = await openWorkerBed({ ORCHESTRATOR_CONFIG: join(folder, "orchestrator.yaml") });
    const register = (value: string, validateOnly: boolean) =>
      bed.client.call(FlowService.method.registerFlow, {
        definition: { case: "source" as const, value },
        validateOnly,
      });
    await register(flow, false);
    const unknown = await register(flow.replace("provider: local", "provider: locale\n        transport: model"), true);
    expect(unknown.problems.map(({ message }) => message)).toEqual([
      'there is no provider locale; did you mean "local"?',
    ]);

    const runId = await bed.start("triage", { message: "My invoice is wrong." });
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toEqual({ topic: "billing", cost: 0.000012 });
    expect(text).toContain('{"topic": "billing", "cost": 0.000012}');
  },
  SLOW_MS,
);
