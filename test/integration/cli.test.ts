/** The command line as a person uses it: real processes, a real service, exit codes. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { cleanEnvironment, type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const MAIN = join(process.cwd(), "src/main.ts");
const folder = createFileFolder();
let service: ServeProcess;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function command(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: {
      ...cleanEnvironment(),
      XDG_CONFIG_HOME: join(folder, "config"),
      ORCHESTRATOR_SERVER: service.address,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

async function json(...args: string[]) {
  const { code, out, err } = await command([...args, "--output", "json"]);
  expect(code, err).toBe(0);
  return JSON.parse(out);
}

const ASKING = `id: asking
version: "1"
workflow:
  tasks:
    - {id: ask, type: approval, parameters: {title: "Go on?"}}
    - {id: word, type: signal, depends_on: [ask]}
  output: "\${word.output}"
`;

beforeAll(async () => {
  service = await startServe({ folder: join(folder, "data") });
  writeFileSync(join(folder, "asking.yaml"), ASKING);
}, 90_000);
afterAll(async () => {
  await service?.stop();
});

test("a starter flow is written, valid, and runs; the output goes to stdout, progress to stderr", async () => {
  expect(await command(["flows", "init", "hello.yaml"])).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, "hello.yaml"), "utf8")).toMatch(/^# yaml-language-server: \$schema=/);
  expect(await command(["flows", "init", "hello.yaml"])).toMatchObject({ code: 2 });
  expect(await command(["flows", "validate", "hello.yaml"])).toMatchObject({ code: 0, out: "hello.yaml: valid\n" });
  const { code, out, err } = await command(["run", "hello.yaml", "--input", "who=5", "--watch"]);
  expect({ code, text: JSON.parse(out).text }).toEqual({ code: 0, text: "Hello, 5!" });
  expect(err).toMatch(/report {2}COMPLETED/);
});

test("a run that asks is approved, signaled and waited for", async () => {
  const { runId } = await json("run", "asking.yaml", "--label", "team=a b");
  const decided = await json("approvals", "approve", runId, "--comment", "yes");
  expect(decided).toMatchObject({ taskId: "ask", state: "APPROVAL_STATE_APPROVED", comment: "yes" });
  await json("runs", "signal", runId, "word", "--data", "[1]");
  expect(await json("runs", "wait", runId)).toMatchObject({ state: "RUN_STATE_COMPLETED", output: [1] });
  const { events } = await json("runs", "events", runId);
  expect(events.map((event: { sequence: number }) => event.sequence)).toEqual(
    events.map((_: unknown, index: number) => index + 1),
  );
  expect((await json("runs", "list", "--label", "team=a b")).runs).toMatchObject([{ runId }]);
  expect((await json("runs", "count", "--state", "completed", "--flow", "asking")).count).toBe("1");
});

test("pause, resume, cancel and terminate; what has ended refuses with exit code 4", async () => {
  const { runId } = await json("run", "asking.yaml");
  expect(await json("runs", "pause", runId)).toMatchObject({ state: "RUN_STATE_PAUSED" });
  expect(await json("runs", "resume", runId)).toMatchObject({ state: "RUN_STATE_WAITING" });
  await json("runs", "cancel", runId, "--reason", "not needed");
  expect(await command(["runs", "wait", runId])).toMatchObject({ code: 1 });
  expect(await command(["runs", "pause", runId])).toMatchObject({ code: 4 });
  expect(await command(["runs", "get", "nobody"])).toMatchObject({
    code: 4,
    err: "error: run nobody does not exist\n",
  });
});

test.each([
  { name: "an unknown command", args: ["fly"], code: 2 },
  { name: "a file that is missing", args: ["run", "missing.yaml"], code: 2 },
  { name: "an input that the flow has not", args: ["run", "hello.yaml", "--input", "whoo=1"], code: 2 },
  { name: "a service that is not there", args: ["health", "--server", "127.0.0.1:1"], code: 3 },
  { name: "an address that is none", args: ["health", "--server", "http://a b"], code: 2 },
  { name: "a profile that is missing", args: ["profiles", "use", "nowhere"], code: 4 },
])("$name: one clear sentence and exit code $code", async ({ args, code }) => {
  const ended = await command(args);
  expect(ended).toMatchObject({ code, out: "" });
  expect(ended.err).toMatch(/^error: [^\n]+\n$/);
});

test("profiles keep addresses; the file is the owner's alone", async () => {
  expect(await command(["profiles", "set", "here", service.address])).toMatchObject({ code: 0 });
  expect(await command(["health", "--profile", "here"], { ORCHESTRATOR_SERVER: "" })).toMatchObject({ code: 0 });
  expect((await json("profiles", "list")).profiles).toMatchObject([{ name: "here", current: true, token: false }]);
});

test("a local run needs no service and leaves nothing; with --data it is found again", async () => {
  const temporary = join(folder, "tmp");
  mkdirSync(temporary);
  const env = { TMPDIR: temporary, ORCHESTRATOR_SERVER: "127.0.0.1:1" };
  expect(await command(["run", "hello.yaml", "--local"], env)).toMatchObject({ code: 0 });
  expect(readdirSync(temporary).filter((name) => name.startsWith("orchestrator-local"))).toEqual([]);
  expect(await command(["run", "hello.yaml", "--local", "--data", "kept", "--run-id", "one"], env)).toMatchObject({
    code: 0,
  });
  expect(await command(["run", "hello.yaml", "--local", "--data", "kept", "--run-id", "one"], env)).toMatchObject({
    code: 4,
  });
  expect(existsSync(join(folder, "kept"))).toBe(true);
});

async function occupy(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("a start that cannot be is one sentence with the cure, exit code 5 or 2, and no stack", async () => {
  const busy = String(await occupy());
  const other = { ORCHESTRATOR_METRICS_ENABLED: "false" };
  const cases: [Record<string, string>, number, RegExp][] = [
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
    [{ ORCHESTRATOR_PORTT: "1" }, 2, /ORCHESTRATOR_PORTT.*did you mean "ORCHESTRATOR_PORT"/s],
  ];
  for (const [env, code, sentence] of cases) {
    const ended = await command(["serve"], env);
    expect(ended.err, JSON.stringify(env)).toMatch(sentence);
    expect(ended.code, ended.err).toBe(code);
    expect(ended.err).not.toMatch(/\n {4}at |secret/);
  }
});

test("completion for bash knows commands and their options", async () => {
  const { out } = await command(["completion", "bash"]);
  const script = `${out}\nCOMP_WORDS=(orchestrator runs wa); COMP_CWORD=2; _orchestrator; echo "\${COMPREPLY[@]}"`;
  const child = spawn("bash", ["-c", script]);
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk));
  await new Promise((resolve) => child.once("close", resolve));
  expect(said.trim()).toBe("watch wait");
});
