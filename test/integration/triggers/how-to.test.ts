/**
 * docs/how-to/triggers.md, executed: its files are applied, and its commands are run, with the command line and curl.
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { GITHUB_SECRET } from "../../support/webhook-sender.ts";
import { openWorkerBed } from "../../support/worker-service.ts";

const text = readFileSync("docs/how-to/triggers.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("the files of the page are applied, and its webhook starts a run", { timeout: 120_000 }, async () => {
  const bed = await openWorkerBed({ ORCHESTRATOR_SECRET_GITHUB: GITHUB_SECRET });
  const folder = createTemporaryFolder();
  const [flow = "", trigger = ""] = blocksOf("yaml");
  writeFileSync(join(folder, "deploy.yaml"), flow);
  writeFileSync(join(folder, "on-push.yaml"), trigger);
  const launcher = resolve("orchestrator");
  const env = {
    ...process.env,
    ORCHESTRATOR_SERVER: bed.address,
    SERVICE: `http://${bed.address}`,
    GITHUB_SECRET,
  };
  const run = async (script: string): Promise<string> => {
    const command = `orchestrator() { ${launcher} "$@"; }\n${script}`;
    return (await promisify(execFile)("sh", ["-e", "-c", command], { env, cwd: folder })).stdout;
  };
  const [register = "", send = "", look = ""] = blocksOf("sh");
  expect(await run(register)).toMatch(/on-push +deploy +WEBHOOK +github +START +OPEN/);
  const first = JSON.parse(await run(send));
  expect(first).toMatchObject({ disposition: "EVENT_DISPOSITION_APPLIED" });
  expect(JSON.parse(await run(send))).toEqual(first);
  const { run: started } = await bed.client.call(RunService.method.getRun, { runId: first.runId });
  expect(started?.correlationId).toBe("72d3162e");
  expect(await run(look)).toMatch(/PAUSED.*maintenance.*OPEN/s);
});
