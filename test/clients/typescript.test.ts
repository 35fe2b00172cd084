import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { checkFlowReport, HERE, ROOT, readSnippet, runProgram } from "./programs.ts";
import { openTestService, SERVICE_MISSING, type TestService } from "./service.ts";

const SETS = [
  {
    name: "oldest",
    versions: {
      "@bufbuild/protobuf": "2.10.0",
      "@protobuf-ts/runtime": "2.9.4",
      "@protobuf-ts/runtime-rpc": "2.9.4",
      "@protobuf-ts/grpcweb-transport": "2.9.4",
    },
  },
  { name: "newest", versions: {} },
];

const TSCONFIG = {
  compilerOptions: {
    target: "es2023",
    module: "nodenext",
    strict: true,
    noEmit: true,
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    skipLibCheck: false,
  },
  include: ["*.ts"],
};

/** Imports every entry point of the package and counts what it gives. */
const IMPORTS = `
const names = ["health", "info", "v1", "errors", "wkt", "connect/health", "connect/info", "connect/v1", "connect/errors", "worker", "worker/testing"];
const counts = {};
for (const name of names) counts[name] = Object.keys(await import("orchestrator-flows-client/" + name)).length;
console.log(JSON.stringify(counts));
`;

describe.each(SETS)("the TypeScript client with the $name libraries", ({ versions }) => {
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "orchestrator-ts-"));
    cpSync(`${HERE}typescript`, folder, { recursive: true });
    const npm = ["--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
    await runProgram("npm", ["pack", ...npm, "--pack-destination", folder, `${ROOT}gen/typescript`]);
    const packed = readdirSync(folder).find((name) => name.endsWith(".tgz"));
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    Object.assign(manifest.dependencies, versions, { "orchestrator-flows-client": `file:./${packed}` });
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
    writeFileSync(join(folder, "imports.mjs"), IMPORTS);
    await runProgram("npm", ["install", ...npm], { cwd: folder });
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const runNode = (args: readonly string[], env: Record<string, string> = {}): Promise<string> =>
    runProgram(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], { cwd: folder, env });

  test("every entry point can be imported", async () => {
    const counts: Record<string, number> = JSON.parse(await runNode(["imports.mjs"]));
    expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
    expect(counts["connect/v1"]).toBeGreaterThan(100);
  });

  test("its declarations and the programs that use it pass the compiler", async () => {
    expect(await runProgram(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder])).toBe("");
  });

  test("its page says how it is installed, as a packed file with the libraries of the entry points", () => {
    const page = readFileSync(`${ROOT}gen/typescript/README.md`, "utf8");
    const { version } = JSON.parse(readFileSync(`${ROOT}gen/typescript/package.json`, "utf8"));
    const lines = page.split("\n").filter((line) => line.startsWith("npm install "));
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const target = mkdtempSync(join(tmpdir(), "orchestrator-ts-page-"));
      try {
        spawnSync("npm", ["pack", "--silent", "--pack-destination", target, `${ROOT}gen/typescript`]);
        const { status, stderr } = spawnSync("sh", ["-euc", `npm init --yes >/dev/null; ${line}`], {
          cwd: target,
          encoding: "utf8",
        });
        expect(status, stderr).toBe(0);
        expect(line).toContain(`-${version}.tgz`);
        const entry = line.includes("connectrpc") ? "connect/v1" : "v1";
        const program = `import("orchestrator-flows-client/${entry}").then((all) => console.log(Object.keys(all).length > 100))`;
        expect(spawnSync(process.execPath, ["-e", program], { cwd: target, encoding: "utf8" }).stdout).toBe("true\n");
      } finally {
        rmSync(target, { recursive: true, force: true });
      }
    }
  });

  test("needs no code of others at run time but its peers", () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${ROOT}gen/typescript/package.json`, "utf8"));
    expect(dependencies).toBeUndefined();
    expect(Object.keys(peerDependencies).sort()).toEqual([
      "@bufbuild/protobuf",
      "@connectrpc/connect",
      "@connectrpc/connect-node",
      "@protobuf-ts/runtime",
      "@protobuf-ts/runtime-rpc",
    ]);
  });

  describe.skipIf(SERVICE_MISSING)("against a service", () => {
    let service: TestService;
    beforeAll(async () => {
      service = await openTestService();
    });
    afterAll(() => service?.close());

    test("registers, starts, waits and watches with protobuf-ts at its defaults", async () => {
      const text = await runNode(["flow-grpcweb.ts", `${HERE}flow.yaml`], { ORCHESTRATOR_TEST_ADDR: service.address });
      expect(checkFlowReport(text).code).toBe("NOT_FOUND");
    });

    test.each(["connect", "grpc", "grpc-web"])("registers, starts, waits and watches with %s", async (protocol) => {
      const env = { ORCHESTRATOR_TEST_ADDR: service.address };
      const report = checkFlowReport(await runNode(["flow-connect.ts", `${HERE}flow.yaml`, protocol], env));
      expect(report).toMatchObject({ code: "NotFound", reason: "FLOW_NOT_FOUND" });
    });
  });
});

describe.skipIf(SERVICE_MISSING)("at the top of the checkout", () => {
  test("the published snippet passes the compiler and runs, through a bundler", async () => {
    const service = await openTestService();
    onTestFinished(() => service.close());
    // Its folder looks like the top of the checkout, where nothing is written.
    const folder = mkdtempSync(join(tmpdir(), "orchestrator-ts-top-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const name of ["gen", "node_modules"]) symlinkSync(join(ROOT, name), join(folder, name));
    writeFileSync(join(folder, "seed.ts"), readSnippet("typescript", service.address));
    const compilerOptions = { ...TSCONFIG.compilerOptions, module: "esnext", moduleResolution: "bundler" };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["seed.ts"] }));
    expect(await runProgram(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder])).toBe("");
    const bundle = ["--platform", "node", "--format", "esm", "--file", join(folder, "seed.mjs")];
    await runProgram(join(ROOT, "node_modules/.bin/rolldown"), ["seed.ts", ...bundle], { cwd: folder });
    expect(await runProgram(process.execPath, [join(folder, "seed.mjs")])).toBe("1\n");
  });
});
