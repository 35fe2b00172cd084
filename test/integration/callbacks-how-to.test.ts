/** docs/how-to/callbacks.md, executed: its flow is registered, and its commands are what the service runs. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { serveTool } from "../support/tool-server.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const text = readFileSync("docs/how-to/callbacks.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("the flow of the page runs, and its commands report to it", { timeout: 60_000 }, async () => {
  const tool = await serveTool();
  const [flow = "", config = ""] = blocksOf("yaml");
  expect(config).toContain("public_url");
  const bed = await openWorkerBed({ ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" }, { publicUrl: true });
  const value = flow.replace("127.0.0.1:9000", tool.address);
  const { problems } = await bed.client.call(FlowService.method.registerFlow, {
    definition: { case: "source", value },
  });
  expect(problems).toEqual([]);
  const [report = "", decline = ""] = blocksOf("sh");
  const run = async (command: string): Promise<string> => {
    const runId = await bed.start("charge");
    const { body } = await tool.next();
    const url = String((body as { report_to: string }).report_to);
    await promisify(execFile)("sh", ["-c", command], { env: { ...process.env, CALLBACK_URL: url } });
    return runId;
  };
  const charged = await run(report);
  await bed.reaches(charged, RunState.COMPLETED);
  expect(await bed.outputOf(charged)).toEqual({ charge: { charged: 12 } });
  const declined = await bed.reaches(await run(decline), RunState.FAILED);
  expect(declined.error).toMatchObject({ type: "CARD_DECLINED", message: "no funds" });
});
