import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, credentials } from "@grpc/grpc-js";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { explainOldNode } from "../../src/base/process/node-version.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const run = promisify(execFile);

describe("the npm package", () => {
  // As root this is a folder that the database's user cannot walk, like the home of root.
  const folder = createFileFolder();
  const command = join(folder, "node_modules", ".bin", "orchestrator");
  // Those who install a package get the Node that is first on PATH.
  const env = { PATH: `${join(process.execPath, "..")}:/usr/bin:/bin:/usr/local/bin`, HOME: folder };

  beforeAll(async () => {
    chmodSync(folder, 0o700);
    // Cause: without a build the package had a command that pointed at nothing. A fresh clone has no dist, and npm must
    // make it.
    const clone = join(createFileFolder(), "clone");
    const { stdout: tracked } = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    const files = tracked.split("\0").filter((path) => path !== "" && existsSync(path));
    for (const path of files) cpSync(path, join(clone, path));
    // What `make dev` leaves: everything installed, nothing built.
    for (const path of ["node_modules", ".node"])
      if (existsSync(path)) symlinkSync(join(process.cwd(), path), join(clone, path));
    await run("npm", ["pack", "--pack-destination", folder], { cwd: clone });
    const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
    writeFileSync(join(folder, "package.json"), '{"private": true}');
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
    await run("npm", ["install", ...options, `./${tarball}`], { cwd: folder });
  }, 300_000);

  test("brings the command, the migrations, the templates and the contracts, and no sources", () => {
    const [name = ""] = readdirSync(join(folder, "node_modules")).flatMap((scope) =>
      ["", ...(scope.startsWith("@") ? readdirSync(join(folder, "node_modules", scope)) : [])]
        .map((one) => join(folder, "node_modules", scope, one))
        .filter((path) => existsSync(join(path, "dist", "main.js")) && existsSync(join(path, "contracts"))),
    );
    const files = readdirSync(name, { recursive: true, encoding: "utf8" });
    expect(files).toEqual(
      expect.arrayContaining([
        "dist/main.js",
        "dist/store/migrations/000001_core.sql",
        "contracts/orchestrator/v1/run.proto",
        "examples/gate/labelled.jsonl",
        "LICENSE",
      ]),
    );
    expect(files.filter((path) => path.startsWith("templates/"))).not.toEqual([]);
    expect(files.filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))).toEqual([]);
  });

  test("says its version", async () => {
    expect((await run(command, ["--version"], { cwd: folder, env })).stdout).toMatch(/^(orchestrator )?\d+\.\d+\.\d+/);
  });

  // Cause: an older Node refused the first import with a syntax error and its stack. The machine's own Node is used
  // where it is old; a test of the launcher pretends to be one.
  const old = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => {
    const { stdout } = spawnSync(path, ["-p", "process.versions.node"], { encoding: "utf8" });
    return typeof stdout === "string" && stdout !== "" && explainOldNode(stdout.trim()) !== null;
  });
  if (old === undefined) console.log("skipped: the package under an old Node, because this machine has none");
  test.skipIf(old === undefined)("tells an old Node what it needs, in one sentence", () => {
    const { status, stdout, stderr } = spawnSync(old ?? "", [command, "--version"], { cwd: folder, encoding: "utf8" });
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: "",
      stderr: expect.stringMatching(/^error: this is Node [\d.]+, and orchestrator needs Node [\d.]+ or newer\n$/),
    });
  });

  test("serves in an empty folder with nothing set but its ports, and stops in good order", async () => {
    const port = await findFreePort();
    const service = spawn(command, ["serve"], {
      cwd: folder,
      env: { ...env, ORCHESTRATOR_PORT: String(port), ORCHESTRATOR_METRICS_PORT: String(await findFreePort()) },
    });
    onTestFinished(() => {
      service.kill("SIGKILL");
    });
    const said = listen(service);
    await eventually(
      async () => {
        expect(service.exitCode, said()).toBeNull();
        await checkHealth(port);
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
    expect(statSync(join(folder, "data")).isDirectory()).toBe(true);
    const exit = new Promise((resolve) => service.once("exit", resolve));
    service.kill("SIGTERM");
    expect(await exit, said()).toBe(0);
  });
});

function listen(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

/** One call of the health service; an empty message is an empty request. */
async function checkHealth(port: number): Promise<void> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const pass = (bytes: Buffer) => bytes;
  try {
    await new Promise((resolve, reject) => {
      const deadline = new Date(Date.now() + 5_000);
      client.makeUnaryRequest(
        "/orchestrator.health.v1.HealthService/Check",
        pass,
        pass,
        Buffer.alloc(0),
        { deadline },
        (error, answer) => (error ? reject(error) : resolve(answer)),
      );
    });
  } finally {
    client.close();
  }
}
