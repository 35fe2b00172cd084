/** What comes before the command: the installation of a checkout, and the check of Node's version. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { explainOldNode, NEEDED_NODE } from "../../src/base/process/node-version.ts";
import { eventually } from "../support/eventually.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

/** A checkout whose dependencies are not installed. */
function createCheckout(): string {
  const folder = createTemporaryFolder();
  mkdirSync(join(folder, "scripts"));
  for (const name of ["install.sh", "node.sh", "check-install.mjs"])
    copyFileSync(join("scripts", name), join(folder, "scripts", name));
  writeFileSync(join(folder, "package-lock.json"), '{"packages": {"node_modules/nothing": {"version": "1.0.0"}}}');
  return folder;
}

// The Node of this process, and no npm: nothing is ever fetched.
const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };

test("an installation that cannot write its folder says so and ends", () => {
  // Cause: every failure of mkdir counted as "another one holds the lock", so the launcher waited forever and said
  // nothing.
  const folder = createCheckout();
  const state = join(folder, ".node");
  // Nobody can make a folder in /proc, root included; where there is none, a mode keeps everybody else out.
  if (existsSync("/proc/self")) symlinkSync("/proc", state);
  else {
    mkdirSync(state);
    chmodSync(state, 0o555);
  }
  const { status, stderr } = spawnSync("sh", [join(folder, "scripts/install.sh")], {
    env,
    encoding: "utf8",
    timeout: 20_000,
  });
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/cannot be installed here: .*mkdir/) });
});

test("an installation that waits for another one names it, and takes the place of one that died", async () => {
  const folder = createCheckout();
  const lock = join(folder, ".node/install.lock");
  mkdirSync(lock, { recursive: true });
  writeFileSync(join(lock, "pid"), String(process.pid));
  // What it does once it has the lock is not of interest here.
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin/npm"), "#!/bin/sh\necho installing\n", { mode: 0o755 });
  const child = spawn("sh", [join(folder, "scripts/install.sh")], { env: { PATH: `${folder}/bin:${env.PATH}` } });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk));
  const ended = new Promise((resolve) => child.once("close", resolve));
  await eventually(() => expect(said).toContain(`Waiting for process ${process.pid}`), { timeoutMs: 20_000 });
  const { pid } = spawnSync("true");
  writeFileSync(join(lock, "pid"), String(pid));
  await ended;
  expect(said).toContain("installing");
  expect(existsSync(lock)).toBe(false);
});

test("an old Node is told in one sentence what is needed", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      "--import",
      `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "20.1.0" })`,
      "src/main.ts",
      "--version",
    ],
    { encoding: "utf8" },
  );
  expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: "", stderr: `${explainOldNode("20.1.0")}\n` });
});

test("all places name the same oldest Node", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { readonly engines: { readonly node: string } };
  expect(manifest.engines.node).toBe(`>=${NEEDED_NODE}`);
  expect(readFileSync("scripts/node.sh", "utf8")).toContain(`(${NEEDED_NODE} or newer)`);
});
