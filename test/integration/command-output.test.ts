/** Where the command line writes to: output that cannot be written, and files in folders that do not exist. */
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { cleanEnvironment } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const ROOT = process.cwd();
const folder = createFileFolder();

function command(args: readonly string[], stdout: "pipe" | number = "pipe") {
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "src/main.ts"), ...args], {
    stdio: ["ignore", stdout, "pipe"],
    encoding: "utf8",
    cwd: folder,
    env: cleanEnvironment(),
  });
  return { status, stderr };
}

// Cause: the handler of the stream's error threw it again, and the user saw the stack of a bug.
test.skipIf(!existsSync("/dev/full"))("output that cannot be written is one sentence and exit code 74", () => {
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  expect(command(["flows", "schema"], full)).toEqual({
    status: 74,
    stderr: "error: the output cannot be written: there is no space left where it goes\n",
  });
});

// Cause: the schema beside the flow was written first, and its copy was blamed.
test("a starter in a folder that does not exist names the folder", () => {
  const ended = command(["flows", "init", "nowhere/new/flow.yaml"]);
  expect(ended.status).toBe(2);
  expect(ended.stderr).toContain("the folder nowhere/new does not exist; create it first (mkdir -p nowhere/new)");
});
