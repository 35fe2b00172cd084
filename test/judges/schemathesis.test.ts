import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { findProgram, IN_CI, ROOT, runProgram } from "../clients/programs.ts";
import { openTestService, type TestService } from "../clients/service.ts";

const HERE = join(ROOT, "test/judges");
const VENV = join(ROOT, ".tools/schemathesis");
const python = findProgram(
  ["python3", "python"],
  ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"],
);
const missing = python === undefined && !IN_CI;
if (missing) console.log("skipped: schemathesis, because Python 3.10 or newer with venv is missing");

const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "documented_refusal",
];

/** Event streams do not end. */
const LEFT = /:watch$/;

/** Operations by their paths: for all of them at once, one call would take too long. */
const GROUPS: readonly (readonly [name: string, paths: RegExp])[] = [
  ["flows", /^\/v1\/(flows|templates|triggers|topics|callbacks)/],
  ["starts and lists of runs", /^\/v1\/runs($|:)/],
  ["single runs", /^\/v1\/runs\//],
  ["workers", /^\/v1\/workers(?!.*:report$)/],
  ["reports of workers", /^\/v1\/workers\/.*:report$/],
  ["queues, limits, and budgets", /^\/v1\/(queues|limits|budgets|usage)/],
  [
    "people and operators",
    /^\/v1\/(approvals|operations|undeliveredMessages|rejectedMessages|payloads|health|info|upgrade|logLevels|diagnostics)/,
  ],
  ["services and routed tasks", /^\/v1\/(services|routedTasks|breakers|toolOverrides)/],
  ["merged systems", /^\/(api|health|status)/],
  ["goals", /^\/v1\/goals/],
  ["generations", /^\/v1\/generations/],
  ["merged routing", /^\/(orchestrator|tasks$)/],
  ["merged goals", /^\/(submit|ready|tasks\/)/],
];

/** Installs the pinned version into `.tools/` once. */
async function install(): Promise<void> {
  const pin = readFileSync(join(HERE, "schemathesis.txt"), "utf8");
  const stamp = join(VENV, "pin.txt");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === pin) return;
  await runProgram(python ?? "python3", ["-m", "venv", "--clear", VENV]);
  await runProgram(join(VENV, "bin/pip"), [
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "-r",
    join(HERE, "schemathesis.txt"),
  ]);
  writeFileSync(stamp, pin);
}

async function send(service: TestService, path: string, body: unknown): Promise<Record<string, never>> {
  const response = await fetch(`http://${service.address}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Record<string, never>;
}

describe.skipIf(missing)("schemathesis", () => {
  let service: TestService;
  let registry: Server | undefined;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "orchestrator-schemathesis-"));
    // Without a registry, a call of an unknown service is answered with 503.
    registry = createServer((_request, response) => response.end('{"droplets": []}'));
    await new Promise<void>((resolve) => registry?.listen(0, "127.0.0.1", resolve));
    const { port } = registry.address() as AddressInfo;
    [service] = await Promise.all([openTestService({ REGISTRY_URL: `http://127.0.0.1:${port}` }), install()]);
  }, 300_000);
  afterAll(async () => {
    registry?.closeAllConnections();
    registry?.close();
    await service?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs schemathesis with these options; returns its exit code and what it printed. */
  async function judge(runs: readonly string[], options: readonly string[]): Promise<[number, string]> {
    const config = join(folder, "schemathesis.toml");
    writeFileSync(config, `hooks = ${JSON.stringify(join(HERE, "schemathesis-hooks.py"))}\n`);
    const quiet = [
      "--generation-database",
      "none",
      "--generation-allow-x00",
      "false",
      "--suppress-health-check",
      "all",
      "--no-color",
    ];
    const target = [join(ROOT, "contracts/openapi.yaml"), "--url", `http://${service.address}`];
    // Event streams do not end.
    const args = [
      "--config-file",
      config,
      "run",
      ...target,
      "--exclude-path-regex",
      ":watch$",
      ...options,
      "--seed",
      "1",
      "--no-shrink",
    ];
    const env = {
      ...process.env,
      ORCHESTRATOR_TEST_FLOW: "client-check",
      ORCHESTRATOR_TEST_OPENAPI: join(ROOT, "contracts/openapi.yaml"),
      ORCHESTRATOR_TEST_RUNS: runs.join(","),
    };
    return new Promise<[number, string]>((resolve) => {
      const program = join(VENV, "bin/schemathesis");
      const options = { cwd: folder, env, maxBuffer: 2 ** 26 };
      execFile(program, [...args, ...quiet, "--continue-on-failure"], options, (error, stdout, stderr) => {
        resolve([error === null ? 0 : Number(error.code ?? 1), stdout + stderr]);
      });
    });
  }

  test("finds no server error, no undocumented answer, and no undocumented refusal", {
    timeout: 900_000,
  }, async ({ task }) => {
    await send(service, "/v1/flows", { source: readFileSync(join(ROOT, "test/clients/flow.yaml"), "utf8") });
    const runs: string[] = [];
    for (const count of [1, 2, 3]) {
      const { run } = await send(service, "/v1/runs", { flowId: "client-check", input: { count }, wait: "10s" });
      runs.push((run as unknown as { readonly runId: string }).runId);
    }
    const options = ["--phases", "coverage,fuzzing", "--mode", "positive", "--max-examples", "8"];
    const [exitCode, output] = await judge(runs, [...options, "--checks", CHECKS.join(",")]);
    const [, cases = "0"] = /Test cases:\s+(\d+) generated/.exec(output) ?? [];
    Object.assign(task.meta, {
      counts: `schemathesis: ${cases} calls of ${/Tested: (\d+)/.exec(output)?.[1] ?? 0} operations`,
    });
    expect(exitCode, output.slice(-12_000)).toBe(0);
    expect(Number(cases)).toBeGreaterThan(300);
  });

  test("every operation that is judged is in one group", () => {
    const { paths } = parse(readFileSync(join(ROOT, "contracts/openapi.yaml"), "utf8")) as { paths: object };
    const groupsOf = (path: string): number => GROUPS.filter(([, form]) => form.test(path)).length;
    expect(Object.keys(paths).filter((path) => !LEFT.test(path) && groupsOf(path) !== 1)).toEqual([]);
  });

  // Cause: what was wrong with a request was found out after something else was, or not at all, as its run was unknown.
  test.each(GROUPS)("finds that a malformed request is refused for that: %s", async (_name, form) => {
    const options = ["--include-path-regex", form.source, "--phases", "coverage", "--mode", "negative"];
    const [exitCode, output] = await judge(["none"], [...options, "--checks", "malformed_refusal"]);
    expect(exitCode, output.slice(-12_000)).toBe(0);
    expect(Number(/Test cases:\s+(\d+) generated/.exec(output)?.[1] ?? 0)).toBeGreaterThan(50);
  });
});
