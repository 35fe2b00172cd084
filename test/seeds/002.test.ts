/**
 * The document of the gRPC service: its make targets, variables, contracts, and generated clients. Its snippets run in
 * test/clients, its queries in 002-promql.test.ts.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { listFiles, PARTS } from "../../scripts/generate-digest.ts";
import { ROOT, runProgram } from "../clients/programs.ts";
import { PYTHON_MISSING, preparePackages } from "../clients/python-environment.ts";
import { copyCheckout } from "../support/copy-checkout.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { cleanEnvironment, noTemplates } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { curl } from "./curl.ts";

/** The commands of the document. */
const TARGETS = [
  ...["dev", "test", "run"],
  ...["generate-clients", "buf-lint", "buf-breaking", "clean-generated"],
  "dev-monitoring",
];

test("every make target of the document is one", () => {
  const { stdout } = spawnSync("make", ["help"], { cwd: ROOT, encoding: "utf8" });
  for (const target of TARGETS) {
    expect(spawnSync("make", ["-n", target], { cwd: ROOT }).status, target).toBe(0);
    expect(stdout).toMatch(new RegExp(`^ {2}${target} +\\S`, "m"));
  }
});

test("the contracts and folders of the document are there", () => {
  for (const path of ["openapi.yaml", "health.proto", "info.proto", "orchestrator.proto"])
    expect(existsSync(join(ROOT, "contracts", path)), path).toBe(true);
  for (const language of ["go", "python", "typescript"])
    expect(listFiles(ROOT, `gen/${language}`).length, language).toBeGreaterThan(50);
  expect(parse(readFileSync(join(ROOT, "contracts/openapi.yaml"), "utf8")).paths).toHaveProperty("/v1/health");
});

test("make buf-lint and make buf-breaking judge the contracts", { timeout: 240_000 }, () => {
  for (const target of ["buf-lint", "buf-breaking"]) {
    const { status, stderr } = spawnSync("make", [target], { cwd: ROOT, encoding: "utf8" });
    expect([status, stderr], target).toEqual([0, ""]);
  }
});

test("make clean-generated removes the clients, and make generate-clients brings them back as they were", {
  timeout: 600_000,
}, ({ skip }) => {
  const folder = copyCheckout(["Makefile", "package-lock.json"]);
  const outputs = PARTS.filter(({ name }) => name !== "server").flatMap((part) => part.outputs);
  const make = (target: string): string => execFileSync("make", [target], { cwd: folder, encoding: "utf8" });
  make("clean-generated");
  expect(outputs.filter((path) => existsSync(join(folder, path)))).toEqual([]);
  const lack = /^\S+: skipped, .*/m.exec(make("generate-clients"))?.[0];
  if (lack !== undefined) skip(lack);
  for (const file of outputs.flatMap((path) => listFiles(ROOT, path)))
    expect(readFileSync(join(folder, file), "latin1") === readFileSync(join(ROOT, file), "latin1"), file).toBe(true);
});

test("the port of the document is ours, and without its databases the service brings one", () => {
  const printed = execFileSync(process.execPath, ["src/main.ts", "config", "print"], {
    cwd: ROOT,
    encoding: "utf8",
    env: cleanEnvironment(),
  });
  const { server, store } = parse(printed);
  expect(server.port).toBe(8_002);
  expect(store).not.toHaveProperty("database_url");
});

describe.skipIf(inject("redis") === 0)("with its variables", async () => {
  const { url } = await createTestDatabase();
  const folder = createFileFolder();

  test("make run serves at PORT, on DATABASE_URL, with REDIS_URL", { timeout: 240_000 }, async () => {
    const port = await findFreePort();
    const child = spawn("make", ["run"], {
      cwd: ROOT,
      // A group of its own, as a terminal gives it one: make does not pass signals on.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...cleanEnvironment(),
        ...noTemplates(),
        ...{ DATABASE_URL: url, REDIS_URL: `redis://127.0.0.1:${inject("redis")}/0`, PORT: String(port) },
        ORCHESTRATOR_METRICS_PORT: String(await findFreePort()),
        ORCHESTRATOR_DATA_DIR: folder,
        ORCHESTRATOR_LOG_FORMAT: "json",
      },
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const signal = (name: NodeJS.Signals): void => void process.kill(-(child.pid ?? 0), name);
    onTestFinished(async () => {
      if (child.exitCode === null && child.signalCode === null) signal("SIGKILL");
      await gone;
    });
    const base = `http://localhost:${port}`;
    await eventually(async () => expect((await curl(base, "/readyz")).status).toBe(200), { timeoutMs: 120_000 });
    const health = await curl(base, "/v1/health?service=orchestrator");
    expect(health).toMatchObject({ status: 200, body: { status: "SERVING_STATUS_SERVING" } });
    expect((await curl(base, "/v1/info")).body.build.storeKind).toBe("STORE_KIND_EXTERNAL");
    await eventually(async () => expect((await curl(base, "/status")).body.redis.connected).toBe(true), {
      timeoutMs: 60_000,
    });
    signal("SIGTERM");
    await gone;
    const lines = printed.split("\n").filter((line) => line.startsWith("{"));
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ service: "orchestrator" });
  });
});

describe("compose.yaml", () => {
  const text = readFileSync(join(ROOT, "compose.yaml"), "utf8");

  test("has the service and Redis, at the port of the document", () => {
    const { services, volumes } = parse(text);
    expect(Object.keys(services)).toEqual(["orchestrator", "redis"]);
    const { build, image, environment, ports } = services.orchestrator;
    expect([build, image]).toEqual([".", "orchestrator:dev"]);
    expect(ports).toContain("127.0.0.1:8002:8002");
    for (const name of ["DATABASE_URL", "REDIS_URL", "PORT"]) expect(environment).toHaveProperty(name);
    const mounted = Object.values(services as Record<string, { volumes: string[] }>).flatMap((one) => one.volumes);
    expect(mounted.map((one) => one.split(":")[0])).toEqual(Object.keys(volumes));
  });

  test("has variables that the configuration takes", () => {
    const { environment } = parse(text).services.orchestrator as { environment: Record<string, string> };
    const variables = { ...environment, DATABASE_URL: "", ORCHESTRATOR_DATA_DIR: createTemporaryFolder() };
    const printed = execFileSync(process.execPath, ["src/main.ts", "config", "print"], {
      cwd: ROOT,
      encoding: "utf8",
      env: { ...cleanEnvironment(), ...variables },
    });
    for (const name of Object.keys(environment).filter((one) => one !== "DATABASE_URL"))
      expect(printed).toContain(`from ${name}\n`);
    expect(parse(printed).store).not.toHaveProperty("database_url");
  });

  test.skipIf(PYTHON_MISSING)("is read by podman-compose", { timeout: 240_000 }, async () => {
    const python = await preparePackages("podman-compose", ["podman-compose==1.6.0"]);
    const args = ["-m", "podman_compose", "-f", "compose.yaml", "config"];
    const read = parse(await runProgram(python, args, { cwd: ROOT, env: { DATABASE_URL: "" } }));
    expect(Object.keys(read.services)).toEqual(["orchestrator", "redis"]);
    expect(read.services.orchestrator.image).toBe("orchestrator:dev");
  });
});
