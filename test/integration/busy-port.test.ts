import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { cleanEnvironment } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

// Cause: the port was bound last, after a database had been made and all shards taken.
test("a busy port ends the start before anything is made", async () => {
  const other = createServer();
  const port = await new Promise<number>((resolve) =>
    other.listen(0, "127.0.0.1", () => resolve((other.address() as { port: number }).port)),
  );
  onTestFinished(() => void other.close());
  const folder = createTemporaryFolder();
  const env = {
    ...cleanEnvironment(),
    ORCHESTRATOR_HOST: "127.0.0.1",
    ORCHESTRATOR_PORT: String(port),
    ORCHESTRATOR_DATA_DIR: folder,
  };
  const child = spawn(process.execPath, ["src/main.ts", "serve"], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (printed += chunk));
  const code = await new Promise((resolve) => child.once("exit", resolve));
  expect(code).toBe(5);
  expect(printed).toContain(`port ${port} is in use`);
  expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
});
