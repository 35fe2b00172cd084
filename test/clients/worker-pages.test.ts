/** The examples in examples/workers and every block of docs/how-to/write-a-worker.md, against one service. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cleanEnvironment, type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";
import { copyGoModule, GO, GO_MISSING } from "./go-environment.ts";
import { ROOT, runProgram } from "./programs.ts";
import { PYTHON_MISSING, preparePython } from "./python-environment.ts";
import { startWorkerProcess, type WorkerProgram } from "./workers/worker-process.ts";

const EXAMPLES = join(ROOT, "examples/workers");
const BLOCKS = new Map(
  [
    ...readFileSync(join(ROOT, "docs/how-to/write-a-worker.md"), "utf8").matchAll(/^```(\S+) (\S+)\n([\s\S]*?)^```$/gm),
  ].map(([, language = "", mark = "", text = ""]) => [`${language} ${mark}`, text]),
);
const block = (name: string): string => BLOCKS.get(name) ?? expect.unreachable(`the page has no block ${name}`);

const folder = createFileFolder();
const nodeModules = join(folder, "node_modules");
let service: ServeProcess;
let python: string;
let env: Record<string, string>;

beforeAll(async () => {
  service = await startServe({ folder: join(folder, "data") });
  env = { ORCHESTRATOR_SERVER: service.address };
  mkdirSync(nodeModules);
  cpSync(join(ROOT, "gen/typescript"), join(nodeModules, "orchestrator-flows-client"), { recursive: true });
  for (const scope of ["@bufbuild", "@connectrpc"])
    symlinkSync(join(ROOT, "node_modules", scope), join(nodeModules, scope));
  if (!PYTHON_MISSING) python = await preparePython("pages", []);
}, 240_000);
afterAll(async () => {
  await service?.stop();
});

/** A folder with the blocks of the page as files. */
function saveBlocks(files: Readonly<Record<string, string>>): string {
  const home = join(folder, `page-${Object.keys(files).join("-")}`);
  mkdirSync(home);
  for (const [file, name] of Object.entries(files)) writeFileSync(join(home, file), block(name));
  return home;
}

/** Runs a flow as the page says; returns what the command prints. */
function runFlow(flow: string, ...input: string[]): string {
  const args = [join(ROOT, "src/main.ts"), "run", flow, ...input, "--wait"];
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: folder,
    env: { ...cleanEnvironment(), ...env },
    encoding: "utf8",
    timeout: 60_000,
  });
  return stdout + stderr;
}

const NODE = ["--disable-warning=ExperimentalWarning"];

/** Runs the page's flow with a worker, and stops it. */
async function checkGreeting(program: WorkerProgram): Promise<void> {
  const worker = startWorkerProcess(program, env);
  writeFileSync(join(folder, "greet.yaml"), block("yaml flow"));
  const words = block("sh run").trim().split(" ");
  expect(words.slice(0, 3)).toEqual(["./orchestrator", "run", "greet.yaml"]);
  const input = words.slice(3).filter((word) => word !== "--wait");
  expect(runFlow("greet.yaml", ...input)).toMatch(/"text": "Hello, Ada!"/);
  expect(runFlow("greet.yaml", "--input", "who=")).toMatch(/NOBODY/);
  expect(await worker.stop(), worker.output()).toBe(0);
}

/** Runs the example's worker and its client, with a card that is charged and one that is declined. */
async function checkOrder(worker: WorkerProgram, client: WorkerProgram): Promise<void> {
  const running = startWorkerProcess(worker, env);
  const order = (card: string): Promise<string> =>
    runProgram(client.command, [...client.args, join(EXAMPLES, "order.yaml"), card], { cwd: client.cwd, env });
  expect(JSON.parse(await order("4242"))).toEqual({ total: 20, receipt: expect.stringMatching(/\/charge\//) });
  expect(await order("0000")).toBe("CARD_DECLINED: the bank declines this card\n");
  expect(await running.stop(), running.output()).toBe(0);
}

test("the page has its blocks, and no others", () => {
  const of = (language: string) => ["worker", "test"].map((mark) => `${language} ${mark}`);
  const more = ["yaml flow", "sh run", "sh try", "sh python", "sh worker"];
  expect([...BLOCKS.keys()].sort()).toEqual([...["ts", "python", "go"].flatMap(of), ...more].sort());
});

describe("TypeScript", () => {
  test("the example runs", async () => {
    const home = join(folder, "example-typescript");
    cpSync(join(EXAMPLES, "typescript"), home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{"type": "module"}');
    const program = (file: string): WorkerProgram => ({ command: process.execPath, args: [...NODE, file], cwd: home });
    await checkOrder(program("worker.ts"), program("client.ts"));
  });

  test("the page's worker and its test run", async () => {
    const home = saveBlocks({ "worker.ts": "ts worker", "test.ts": "ts test" });
    writeFileSync(join(home, "package.json"), '{"type": "module"}');
    await checkGreeting({ command: process.execPath, args: [...NODE, "worker.ts"], cwd: home });
    const printed = await runProgram(process.execPath, [...NODE, "test.ts"], { cwd: home });
    expect(printed).toContain("output: { text: 'Hello, Ada!' }");
    expect(printed).toContain("type: 'NOBODY'");
  });
});

describe("run --worker", () => {
  function tryFlow(home: string, words: readonly string[]) {
    const args = [join(ROOT, "src/main.ts"), ...words];
    const options = { cwd: home, env: cleanEnvironment(), encoding: "utf8", timeout: 90_000 } as const;
    return spawnSync(process.execPath, args, options);
  }

  test("starts a service and the page's worker for one run, and ends both", () => {
    const home = saveBlocks({ "greet.yaml": "yaml flow", "worker.ts": "ts worker" });
    writeFileSync(join(home, "package.json"), '{"type": "module"}');
    const [command, ...words] = block("sh try").trim().split(" ");
    expect(command).toBe("./orchestrator");
    const { status, stdout, stderr } = tryFlow(home, words);
    expect(status, stderr).toBe(0);
    expect(stdout).toContain('"text": "Hello, Ada!"');
    expect(stderr).toContain("worker: connected");
  });

  test("says that the worker ended, and cancels the run", () => {
    const home = saveBlocks({ "flow.yaml": "yaml flow" });
    writeFileSync(join(home, "worker.js"), "process.exit(3);");
    const { status, stderr } = tryFlow(home, ["run", "flow.yaml", "--input", "who=Ada", "--worker", "./worker.js"]);
    expect(stderr).toContain("the worker ./worker.js ended with exit code 3 before the run");
    expect(status).toBe(1);
    const missing = tryFlow(home, ["run", "flow.yaml", "--input", "who=Ada", "--worker", "./none.py"]);
    expect(missing.stderr).toContain("--worker ./none.py: there is no such file");
    expect(missing.status).toBe(2);
  });
});

describe.skipIf(PYTHON_MISSING)("Python", () => {
  test("the example runs", async () => {
    const home = join(EXAMPLES, "python");
    const program = (file: string): WorkerProgram => ({ command: python, args: ["-B", file], cwd: home });
    await checkOrder(program("worker.py"), program("client.py"));
  });

  test("the page's worker and its test run", async () => {
    expect(block("sh python")).toBe("pip install ./gen/python\n");
    const home = saveBlocks({ "worker.py": "python worker", "test.py": "python test" });
    await checkGreeting({ command: python, args: ["worker.py"], cwd: home });
    await runProgram(python, ["test.py"], { cwd: home });
  });
});

describe.skipIf(GO_MISSING)("Go", () => {
  test("the example runs", async () => {
    const home = join(folder, "example-go");
    copyGoModule(join(EXAMPLES, "go"), home);
    await runProgram(GO, ["build", "-o", `${home}/programs/`, "./..."], { cwd: home });
    expect(await runProgram(GO, ["mod", "tidy", "-diff"], { cwd: home })).toBe("");
    const program = (name: string): WorkerProgram => ({ command: join(home, "programs", name), args: [], cwd: home });
    await checkOrder(program("worker"), program("client"));
  });

  test("the page's worker and its test run", async () => {
    const home = saveBlocks({ "main.go": "go worker", "main_test.go": "go test" });
    for (const file of ["go.mod", "go.sum"]) cpSync(join(EXAMPLES, "go", file), join(home, file));
    copyGoModule(home, `${home}-module`);
    await runProgram(GO, ["test", "."], { cwd: `${home}-module` });
    await runProgram(GO, ["build", "-o", "greeter", "."], { cwd: `${home}-module` });
    await checkGreeting({ command: join(`${home}-module`, "greeter"), args: [], cwd: home });
  });
});

describe("bash", () => {
  test("the page shows the example, which runs and outlives a restart of the service", async () => {
    const script = join(EXAMPLES, "bash/worker.sh");
    expect(block("sh worker")).toBe(readFileSync(script, "utf8"));
    startWorkerProcess({ command: "bash", args: [script], cwd: folder }, env);
    const flow = join(EXAMPLES, "bash/shout.yaml");
    expect(runFlow(flow, "--input", "text=hello")).toContain("HELLO");
    await service.stop("SIGKILL");
    service = await startServe({ folder: join(folder, "data"), port: service.port });
    expect(runFlow(flow, "--input", "text=again")).toContain("AGAIN");
  });
});
