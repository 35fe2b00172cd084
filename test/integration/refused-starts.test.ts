/** Starts of the service that cannot be: one sentence each, and an exit code. */
import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCommand } from "../support/run-command.ts";
import { startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const folder = createFileFolder();

async function occupy(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("a start that cannot be is one sentence with the cure, exit code 5 or 2, and no stack", {
  timeout: 90_000,
}, async () => {
  const service = await startServe({ folder: join(folder, "data") });
  onTestFinished(async () => void (await service.stop()));
  const busy = String(await occupy());
  const other = { ORCHESTRATOR_METRICS_ENABLED: "false" };
  const cases: (readonly [Record<string, string>, number, RegExp])[] = [
    [
      { ...other, ORCHESTRATOR_DATA_DIR: "a", ORCHESTRATOR_PORT: busy },
      5,
      new RegExp(`port ${busy} is in use.*ORCHESTRATOR_PORT`),
    ],
    [
      { ORCHESTRATOR_DATA_DIR: "a", ORCHESTRATOR_PORT: "0", ORCHESTRATOR_METRICS_PORT: busy },
      5,
      /ORCHESTRATOR_METRICS_PORT/,
    ],
    [
      { ...other, ORCHESTRATOR_DATA_DIR: join(folder, "data"), ORCHESTRATOR_PORT: "0" },
      5,
      new RegExp(`in use by process ${service.child.pid}`),
    ],
    [
      { ...other, DATABASE_URL: "postgresql://u:secret@127.0.0.1:1/x", ORCHESTRATOR_PORT: "0" },
      5,
      /the database cannot be reached/,
    ],
    // Cause: Node's recursive mkdir says ENOENT for every parent that cannot be written, and below /proc it never comes
    // back.
    ...(existsSync("/proc/self")
      ? ([
          [{ ...other, ORCHESTRATOR_DATA_DIR: "/proc/none/at/all" }, 5, /cannot be created: .*mkdir '\/proc\/none'/],
        ] as const)
      : []),
    [{ ORCHESTRATOR_PORTT: "1" }, 2, /ORCHESTRATOR_PORTT.*did you mean "ORCHESTRATOR_PORT"/s],
  ];
  for (const [env, code, sentence] of cases) {
    const ended = await runCommand(["serve"], folder, env);
    expect(ended.err, JSON.stringify(env)).toMatch(sentence);
    expect(ended.code, ended.err).toBe(code);
    expect(ended.err).not.toMatch(/\n {4}at |secret/);
  }
});
