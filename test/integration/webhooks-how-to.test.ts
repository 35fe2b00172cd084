/** docs/how-to/webhooks.md, executed: its configuration, its command, its flow, and its receiver. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const text = readFileSync("docs/how-to/webhooks.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("an event of the page's flow arrives at the page's receiver, which refuses what is not signed", async () => {
  const folder = createTemporaryFolder();
  const port = String(await findFreePort());
  const [config = "", flow = ""] = blocksOf("yaml");
  const [make = ""] = blocksOf("sh");
  const [receiver = ""] = blocksOf("python");
  execFileSync("sh", ["-c", make], { cwd: folder });
  writeFileSync(
    join(folder, "orchestrator.yaml"),
    config.replace("9000", port).replace("./secrets", join(folder, "secrets")),
  );
  writeFileSync(join(folder, "receiver.py"), receiver.replace("9000", port));
  const python = spawn("python3", ["receiver.py"], { cwd: folder });
  onTestFinished(() => void python.kill());
  let printed = "";
  for (const stream of [python.stdout, python.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk));

  const bed = await openWorkerBed({ ORCHESTRATOR_CONFIG: join(folder, "orchestrator.yaml") });
  const definition = { case: "source" as const, value: flow };
  const { problems } = await bed.client.call(FlowService.method.registerFlow, { definition });
  expect(problems).toEqual([]);
  await bed.reaches(await bed.start("paid", { invoice: "i-1" }), RunState.COMPLETED);
  await eventually(() => expect(printed).toContain("{'type': 'invoice.paid', 'invoice': 'i-1'}"));

  const forged = await fetch(`http://127.0.0.1:${port}/hook`, {
    method: "POST",
    body: "{}",
    headers: {
      "webhook-id": "x",
      "webhook-timestamp": String((Date.now() / 1_000) | 0),
      "webhook-signature": "v1,AAAA",
    },
  });
  expect(forged.status).toBe(401);
});
