/** What the command line prints of a service whose every text tries to steer the terminal. */
import { spawn } from "node:child_process";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { DescMethodServerStreaming, DescMethodUnary, Message } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOSTILE, hostileAnswers } from "../support/hostile-message.ts";
import { cleanEnvironment } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";
import { SERVICES } from "../unit/api/support/services.ts";

const folder = createFileFolder();

const server = createServer(
  connectNodeAdapter({
    connect: false,
    routes: (router) => {
      for (const service of SERVICES)
        for (const method of service.methods)
          if (method.methodKind === "unary")
            router.rpc(method as DescMethodUnary, () => hostileAnswers(method.output)[0] as Message);
          else
            router.rpc(method as DescMethodServerStreaming, async function* () {
              yield* hostileAnswers(method.output);
            });
    },
  }),
);

beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));

function command(args: readonly string[]): Promise<{ readonly out: string; readonly err: string }> {
  const { port } = server.address() as AddressInfo;
  const child = spawn(process.execPath, [join(process.cwd(), "src/main.ts"), ...args], {
    cwd: folder,
    env: {
      ...cleanEnvironment(),
      NO_COLOR: "1",
      ORCHESTRATOR_SERVER: `127.0.0.1:${port}`,
      XDG_CONFIG_HOME: folder,
      XDG_STATE_HOME: folder,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  return new Promise((resolve) => child.on("close", () => resolve({ out, err })));
}

// Cause: `runs get` printed the key of a run as it was; every caller had to remember to make text plain.
test.each([
  "runs list",
  "runs count",
  "runs get r",
  "runs events r",
  "runs watch r",
  "runs wait r",
  "runs cancel r",
  "runs delete r",
  "runs resume r",
  "runs cancel --state FAILED",
  "operations list",
  "runs signal r paid",
  "approvals list",
  "approvals approve r a",
  "flows list",
  "flows list f",
  "flows delete f@1",
  "flows delete f@1 --yes",
  "templates list",
  "health",
])("%s prints nothing that steers a terminal, as a table and as JSON", { timeout: 60_000 }, async (line) => {
  const words = line.split(" ");
  for (const form of [[], ["--output", "json"]]) {
    const { out, err } = await command([...words, ...form]);
    expect(out + err, line).toContain(form.length > 0 || line === "runs count" ? "" : HOSTILE.slice(0, 4));
    expect(
      (out + err).match(/[^\P{Cc}\n]|\p{Cf}|[\u2028\u2029]/gu),
      `${line}\n${JSON.stringify(out + err)}`,
    ).toBeNull();
    // A line break of a text from outside would let it speak for the program.
    expect(out + err).not.toMatch(/^FORGED/m);
  }
});
