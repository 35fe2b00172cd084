/** docs/how-to/route-tasks.md, executed: its service, its configuration, its commands, and its request. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runProgram } from "../clients/programs.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { installCommand, runCommand } from "../support/run-command.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const text = readFileSync("docs/how-to/route-tasks.md", "utf8");
const blocksOf = (language: string): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);

test("the page's service is called by the page's commands and its request, each after one retry", async () => {
  const folder = createTemporaryFolder();
  const port = String(await findFreePort());
  const [service = ""] = blocksOf("python");
  const [config = ""] = blocksOf("yaml");
  const [commands = "", request = ""] = blocksOf("sh");
  writeFileSync(join(folder, "stock.py"), service.replace("9000", port));
  writeFileSync(join(folder, "orchestrator.yaml"), config.replace("9000", port));
  const python = spawn("python3", ["stock.py"], { cwd: folder, stdio: "ignore" });
  onTestFinished(() => void python.kill());
  await eventually(() => fetch(`http://127.0.0.1:${port}/`), { timeoutMs: 20_000 });
  const bed = await openWorkerBed({
    ORCHESTRATOR_CONFIG: join(folder, "orchestrator.yaml"),
    REGISTRY_CACHE_DIR: join(folder, "cache"),
  });
  installCommand(folder);
  const env = {
    ...{ PATH: `${folder}:${process.env.PATH}`, ORCHESTRATOR_SERVER: bed.address },
    XDG_CONFIG_HOME: join(folder, "config"),
  };
  const run = (block: string) => runProgram("sh", ["-ec", `(${block}) 2>&1`], { cwd: folder, env });

  const shown = await run(commands);
  expect(shown).toMatch(new RegExp(`^stock +http://127\\.0\\.0\\.1:${port} +CONFIGURATION +yes `, "m"));
  expect(shown).toMatch(/^registry http:\/\/localhost:8000: UNAVAILABLE; /m);
  expect(shown).toMatch(/^task [0-9a-f-]{36} SUCCESS, status 200, 1 retry, \d/m);
  expect(shown).toContain('{\n  "reserved": 3\n}\n');

  const ask = async () => JSON.parse(await run(request.replace("localhost:8002", bed.address).replace("-X", "-s -X")));
  const { task } = await ask();
  expect(task).toMatchObject({
    ...{ state: "ROUTED_TASK_STATE_SUCCESS", responseStatus: 200, retryCount: 1, response: { reserved: 3 } },
  });
  expect((await ask()).task.taskId).toBe(task.taskId);

  const say = (...args: string[]) => runCommand(["route", ...args], folder, { ORCHESTRATOR_SERVER: bed.address });
  const missing = await say("stock", "get", "/nothing");
  expect([missing.code, missing.err]).toEqual([1, expect.stringMatching(/ERROR, .*no answer|ERROR, status 501/)]);
  // The registry that might know it is not there.
  expect(await say("stok", "GET")).toMatchObject({ code: 3, err: expect.stringContaining("service stok cannot be") });
  expect(await say("stock", "POST", "/x", "--payload", "{")).toMatchObject({ code: 2 });
  const submitted = await say("stock", "POST", "/x", "--payload", "{}", "--no-wait");
  expect(submitted).toMatchObject({ code: 0, out: expect.stringMatching(/^[0-9a-f-]{36}\n$/) });
}, 240_000);
