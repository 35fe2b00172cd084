/** docs/how-to/limits.md, executed: its API, its flow, and its commands. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { runProgram } from "../clients/programs.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { installCommand } from "../support/run-command.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const text = readFileSync("docs/how-to/limits.md", "utf8");
const blockOf = (language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(text)?.[1] ?? expect.unreachable(`no block ${language}`);

test("the page's runs call the page's API, never more than it takes, and its commands show and change the limit", {
  timeout: 120_000,
}, async () => {
  const folder = createTemporaryFolder();
  const port = String(await findFreePort());
  writeFileSync(join(folder, "crm.py"), blockOf("python").replace("9000", port));
  writeFileSync(join(folder, "contact.yaml"), blockOf("yaml").replace("9000", port));
  const python = spawn("python3", ["crm.py"], { cwd: folder });
  onTestFinished(() => void python.kill());
  let printed = "";
  for (const stream of [python.stdout, python.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk));
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${port}/up`)).status).toBe(200));

  const bed = await openWorkerBed({ ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" });
  installCommand(folder);
  const env = {
    ...{ PATH: `${folder}:${process.env.PATH}`, ORCHESTRATOR_SERVER: bed.address, ORCHESTRATOR_BY: "ann" },
    XDG_CONFIG_HOME: join(folder, "config"),
  };
  const run = (block: string): Promise<string> => runProgram("sh", ["-ec", blockOf(block)], { cwd: folder, env });

  expect(await run("sh runs")).toMatch(/^crm +OPEN +by flows /m);
  await eventually(async () => {
    const { runs } = await bed.client.call(RunService.method.listRuns, { filter: 'flow_id == "contact"' });
    expect(runs.map(({ state }) => state)).toEqual(Array(6).fill(RunState.COMPLETED));
  });
  expect(printed.split("\n").filter((line) => line.startsWith("/acme"))).toEqual(Array(6).fill("/acme 200"));

  const declared = await run("sh declare");
  expect(declared).toMatch(/^crm +OPEN +2 at once, 100 may begin per 1m /m);
  expect(declared).toMatch(/declared .* by ann: their terms/);
  const paused = await run("sh pause");
  expect(paused).toMatch(/^crm +KEYS PAUSED /m);
  expect(paused).toMatch(/^"acme" .*paused .* by ann: over quota/m);
  expect(paused.trimEnd()).toMatch(/crm +OPEN [^\n]*$|crm +OPEN [^\n]*\ndeclared [^\n]*$/);
});
