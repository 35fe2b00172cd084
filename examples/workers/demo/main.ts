/**
 * The demo of workers: a Python and a Go worker share a queue. One of them is killed while it works, and all runs
 * complete.
 *   node examples/workers/demo/main.ts
 * Needs Python 3.9 and Go; what they need is installed into .tools.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const here = import.meta.dirname;
const root = join(here, "../../..");
const venv = join(root, ".tools/demo-python");
const goWorker = join(root, ".tools/demo-go-worker");
const PHOTOS = 30;

const say = (text: string): void => console.log(text);

/** Runs a program to its end; what it prints is shown only when it fails. */
function install(command: string, args: readonly string[], cwd = root): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${error?.message ?? stdout + stderr}`);
}

const findProgram = (names: readonly string[], args: readonly string[]): string => {
  const found = names.find((name) => spawnSync(name, args, { stdio: "ignore" }).status === 0);
  if (found === undefined) throw new Error(`the demo needs ${names[0]}: install it and try again`);
  return found;
};

function prepareWorkers(): void {
  const python = findProgram(["python3", "python"], ["-c", "import venv, ensurepip"]);
  const go = findProgram(["go", "/usr/local/go/bin/go", join(root, ".tools/python/bin/go")], ["version"]);
  say("Preparing a Python and a Go worker …");
  if (!existsSync(join(venv, "bin/python"))) install(python, ["-m", "venv", venv]);
  install(join(venv, "bin/python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "./gen/python"]);
  install(go, ["build", "-o", goWorker, "./demo"], join(root, "examples/workers/go"));
}

/** A program of the demo, with the photos that it has begun, and the last that it said. */
interface Program {
  readonly name: string;
  readonly child: ChildProcess;
  readonly begun: number[];
  said: string;
}

/** How much of what a program said is shown when the demo fails, characters. */
const SAID_LENGTH = 2_000;

const programs: Program[] = [];

function start(name: string, command: string, args: readonly string[], env: Readonly<Record<string, string>>): Program {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const program: Program = { name, child, begun: [], said: "" };
  const hear = (chunk: Buffer): void => {
    program.said = `${program.said}${chunk}`.slice(-SAID_LENGTH);
  };
  child.stdout.on("data", (chunk: Buffer) => {
    for (const [, photo] of chunk.toString().matchAll(/begins photo (\d+)/g)) program.begun.push(Number(photo));
    hear(chunk);
  });
  child.stderr.on("data", hear);
  programs.push(program);
  return program;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Waits for `check`. The first start makes a database, which takes a minute on a machine that is busy. */
async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 180_000; Date.now() < deadline; await sleep(20)) {
    if (await check()) return;
    const ended = programs.find(({ child }) => child.exitCode !== null);
    if (ended !== undefined) throw new Error(`${ended.name} ended with code ${ended.child.exitCode}`);
  }
  throw new Error(`${what} did not happen within three minutes`);
}

async function showDemo(folder: string): Promise<void> {
  const address = `127.0.0.1:${await freePort()}`;
  const call = async (path: string, body?: object): Promise<Record<string, unknown>> => {
    const more = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(`http://${address}${path}`, {
      headers: { "content-type": "application/json" },
      ...more,
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  start("the service", process.execPath, [join(root, "src/main.ts"), "serve"], {
    ORCHESTRATOR_PORT: address.slice(address.indexOf(":") + 1),
    ORCHESTRATOR_DATA_DIR: folder,
    ORCHESTRATOR_METRICS_ENABLED: "false",
    // A worker that says nothing for so long is gone; by default it is 30 s.
    ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "3s",
  });
  await until("the start of the service", () =>
    fetch(`http://${address}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await call("/v1/flows", { source: readFileSync(join(here, "photo.yaml"), "utf8") });
  const python = start("the Python worker", join(venv, "bin/python"), [join(here, "worker.py")], {
    ORCHESTRATOR_SERVER: address,
  });
  const go = start("the Go worker", goWorker, [], { ORCHESTRATOR_SERVER: address });

  const runs: string[] = [];
  for (let photo = 1; photo <= PHOTOS; photo++) {
    const { run } = (await call("/v1/runs", { flowId: "photo", input: { photo } })) as { run: { runId: string } };
    runs.push(run.runId);
  }
  say(
    `Started ${PHOTOS} runs. Each asks for one photo to be developed; both workers take them from the queue "photos".`,
  );
  await until("work of both workers", () => python.begun.length >= 4 && go.begun.length >= 4);
  python.child.kill("SIGKILL");
  say(`Killed the Python worker (kill -9) while it was working; it had begun photo ${python.begun.at(-1)} last.`);

  const outputs: string[] = [];
  for (const runId of runs) {
    await until(`the end of run ${runId}`, async () => {
      const { run } = (await call(`/v1/runs/${runId}`)) as { run: { state: string; output?: { by: string } } };
      if (run.state === "RUN_STATE_COMPLETED") outputs.push(run.output?.by ?? "");
      return run.state === "RUN_STATE_COMPLETED";
    });
  }
  const twice = python.begun.filter((photo) => go.begun.includes(photo));
  const by = (name: string): number => outputs.filter((one) => one === name).length;
  say(`The Python worker developed ${by("Python")} photos, the Go worker ${by("Go")}.`);
  say(`The Go worker did again what the Python worker had not finished: photos ${twice.join(", ")}.`);
  say(`All ${outputs.length} runs completed.`);
}

const folder = mkdtempSync(join(tmpdir(), "orchestrator-demo-"));
try {
  prepareWorkers();
  await showDemo(folder);
} catch (error) {
  console.error(`The demo stopped: ${error instanceof Error ? error.message : error}`);
  for (const { name, said } of programs) if (said !== "") console.error(`\n${name} said last:\n${said.trimEnd()}`);
  process.exitCode = 1;
} finally {
  for (const { child } of programs.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await gone;
  }
  rmSync(folder, { recursive: true, force: true });
}
