/** The command line as a person uses it: real processes, a real service, exit codes. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { lockFolder } from "../../src/store/embedded/folder-lock.ts";
import { type EndedCommand, runCommand } from "../support/run-command.ts";
import { cleanEnvironment, type ServeProcess, SHIPPED_TEMPLATES, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const folder = createFileFolder();
let service: ServeProcess;

function command(args: readonly string[], env: Record<string, string> = {}): Promise<EndedCommand> {
  return runCommand(args, folder, { ORCHESTRATOR_SERVER: service.address, ...env });
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
  service = await startServe({ folder: join(folder, "data"), env: { ORCHESTRATOR_TEMPLATES: SHIPPED_TEMPLATES } });
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

test("warnings are printed and listed, and refuse nothing", async () => {
  const call = "{flow_id: nowhere}";
  writeFileSync(
    join(folder, "warned.yaml"),
    `id: warned\nworkflow:\n  tasks:\n    - {id: go, type: subflow, parameters: ${call}}\n`,
  );
  const expected = {
    code: "SUBFLOW_UNKNOWN",
    path: "workflow.tasks[0].parameters.flow_id",
    line: 4,
    message: 'flow "nowhere" is not registered',
  };
  const { created, warnings } = await json("flows", "register", "warned.yaml");
  expect({ created, warnings }).toMatchObject({ created: true, warnings: [expected] });
  const { code, err } = await command(["run", "warned.yaml"]);
  expect({ code, err }).toEqual({
    code: 0,
    err: expect.stringMatching(/^warned\.yaml:4:\d+: warning: .*nowhere.*\[SUBFLOW_UNKNOWN\]\n/),
  });
});

test("flow versions that no run uses are deleted, one or all of a flow, after a preview", async () => {
  const source = (version: string) => `{id: old, version: "${version}", workflow: {tasks: [{id: a, type: noop}]}}\n`;
  for (const version of ["1", "2", "3"]) {
    writeFileSync(join(folder, "old.yaml"), source(version));
    await json("flows", "register", "old.yaml");
  }
  const { runId } = await json("run", "old@2");
  expect(await command(["flows", "delete", "old"])).toEqual({
    code: 0,
    out: "old@3\nold@2\nold@1\n",
    err: "nothing is deleted yet: 3 version(s) found; add --yes to delete them\n",
  });
  expect(await command(["flows", "delete", "old@1", "--yes"])).toEqual({ code: 0, out: "old@1 is deleted\n", err: "" });
  expect(await command(["flows", "delete", "old", "--yes"])).toMatchObject({
    code: 4,
    out: "old@3 is deleted\n",
    err: `flow old version 2 is used by 1 run(s), for instance ${runId}; delete those runs first\n`,
  });
  await json("runs", "delete", runId);
  expect(await json("flows", "delete", "old@2", "--yes")).toMatchObject({ deleted: [{ version: "2" }], refused: [] });
  expect(await command(["flows", "delete", "old", "--yes"])).toMatchObject({ code: 4, out: "" });
  expect(await command(["flows", "delete", "old@", "--yes"])).toMatchObject({ code: 2, out: "" });
});

test("a run that asks is approved, signaled and waited for", async () => {
  const { runId } = await json("run", "asking.yaml", "--label", "team=a b");
  const decided = await json("approvals", "approve", runId, "--comment", "yes", "--by", "Zoë %");
  expect(decided).toMatchObject({
    taskId: "ask",
    state: "APPROVAL_STATE_APPROVED",
    comment: "yes",
    decidedBy: "Zoë %",
  });
  expect(await json("approvals", "approve", runId, decided.approvalId, "--comment", "yes")).toEqual(decided);
  await json("runs", "signal", runId, "word", "--data", "[1]");
  expect(await json("runs", "wait", runId)).toMatchObject({ state: "RUN_STATE_COMPLETED", output: [1] });
  const { events } = await json("runs", "events", runId);
  expect(events.map((event: { sequence: number }) => event.sequence)).toEqual(
    events.map((_: unknown, index: number) => index + 1),
  );
  expect((await json("runs", "list", "--label", "team=a b")).runs).toMatchObject([{ runId }]);
  expect((await json("runs", "count", "--state", "completed", "--flow", "asking")).count).toBe("1");
});

test("the events of a run say which state, why, which signal, and who", async () => {
  const { runId } = await json("run", "asking.yaml");
  await json("approvals", "approve", runId, "--by", "ann", "--comment", "go on");
  await json("runs", "signal", runId, "word", "--by", "zoe");
  await json("runs", "wait", runId);
  const { out } = await command(["runs", "events", runId]);
  expect(out).toMatch(/^SEQ +TIME +EVENT +TASK +ATTEMPT +STATE +DETAIL$/m);
  expect(out).toMatch(/approval\.ended +ask +APPROVED +approval \S+; by ann; go on$/m);
  expect(out).toMatch(/signal\.received +signal word; by zoe$/m);
  expect(out).toMatch(/run\.completed +COMPLETED/m);
  const rejected = await json("run", "asking.yaml");
  await json("approvals", "reject", rejected.runId);
  await command(["runs", "wait", rejected.runId]);
  expect((await command(["runs", "events", rejected.runId])).out).toMatch(/ FAILED +.*APPROVAL_REJECTED/m);
});

test("names that do not exist are answered with the nearest that does", async () => {
  const { runId } = await json("run", "asking.yaml");
  const said = async (...args: string[]): Promise<string> => {
    const { code, err } = await command(args);
    expect(code).toBeGreaterThan(0);
    return err;
  };
  writeFileSync(join(folder, "map-flaky.yaml"), ASKING);
  expect(await said("run", "askin")).toMatch(/flow askin is not registered; did you mean "asking"\?/);
  expect(await said("run", "map-flakey")).toMatch(/did you mean the file map-flaky\.yaml\?/);
  expect(await said("flows", "get", "map-flaky")).toMatch(/did you mean the file map-flaky\.yaml\?/);
  expect(await said("run", "map-flakey.yaml")).toMatch(/no such file; did you mean map-flaky\.yaml\?/);
  expect(await said("templates", "get", "aproval-gate")).toMatch(/did you mean "approval-gate"\?/);
  expect(await said("runs", "get", runId.slice(0, -1))).toContain(`did you mean "${runId}"?`);
  expect(await said("approvals", "approve", runId, "999")).toMatch(/; open: \d+ \(ask\)/);
  expect(await said("approvals", "approve", runId, "aks")).toMatch(/open: \d+ \(ask\)/);
  expect(await said("run", "askin", "--local")).toMatch(/did you mean the file asking\.yaml\?/);
  expect(await said("rnus", "list")).toMatch(/Did you mean runs\?/);
  expect(await said("runs", "lst")).toMatch(/Did you mean list\?\)\n\(.*orchestrator runs --help lists the commands\)/);
  expect(await said("runs", "list", "--fliter", "x")).toMatch(/Did you mean --filter\?/);
  await json("runs", "cancel", runId);
});

test("a named profile wins over the environment, and an unknown one is refused", async () => {
  await command(["profiles", "set", "there", service.address]);
  const wrong = { ORCHESTRATOR_SERVER: "127.0.0.1:1" };
  expect(await command(["health", "--profile", "there"], wrong)).toMatchObject({ code: 0 });
  expect(await command(["health", "--profile", "ther"])).toMatchObject({
    code: 4,
    err: 'error: there is no profile named ther; did you mean "there"?\n',
  });
  await command(["profiles", "remove", "there"]);
});

test("a running service is found on its port without being named, and forgotten when it stops", async () => {
  const state = {
    XDG_STATE_HOME: join(folder, "state"),
    ORCHESTRATOR_SERVER: "",
    XDG_CONFIG_HOME: join(folder, "empty"),
  };
  const other = await startServe({ folder: join(folder, "other"), env: { XDG_STATE_HOME: state.XDG_STATE_HOME } });
  try {
    expect((await command(["health"], state)).out).toContain(other.address);
  } finally {
    await other.stop();
  }
  expect(readdirSync(join(folder, "state/orchestrator/services"))).toEqual([]);
});

test("a watch without a service says so once and gives up", { timeout: 30_000 }, async () => {
  // Cause: the remark was made again for every try.
  const { code, err } = await command(["runs", "watch", "any", "--server", "127.0.0.1:1"]);
  expect({ code, lines: err.trimEnd().split("\n") }).toMatchObject({
    code: 3,
    lines: [/continues when/, /nothing listens/].map((text) => expect.stringMatching(text)),
  });
});

test("what is to be typed next can be typed: the command of the checkout, with the flags of this call", async () => {
  // Cause: "orchestrator runs watch ID" is no command in a checkout, and asked the default service.
  const { out, err } = await command(["run", "asking.yaml", "--server", service.address], { ORCHESTRATOR_SERVER: "" });
  const [, next = ""] = /^watch it: {2}(.+)$/m.exec(err) ?? [];
  expect(next).toMatch(new RegExp(`^\\S+/orchestrator runs watch ${out.trim()} --server ${service.address}$`));
  const typed = spawnSync("sh", ["-c", next.replace("runs watch", "runs cancel")], {
    cwd: folder,
    env: cleanEnvironment(),
    encoding: "utf8",
  });
  expect(typed.stdout).toMatch(new RegExp(`^${out.trim()} is `));
});

test("a decision where none is open is refused with exit code 4, like other states", async () => {
  const { runId } = await json("run", "asking.yaml");
  await json("approvals", "reject", runId);
  const [decided, unknown] = [
    await command(["approvals", "approve", runId]),
    await command(["approvals", "approve", "no"]),
  ];
  expect([decided.code, decided.err]).toEqual([4, expect.stringMatching(/^error: run \w+ is FAILED; /)]);
  expect([unknown.code, unknown.err]).toEqual([4, "error: run no does not exist\n"]);
  // By default the user of the system acts.
  expect(await json("runs", "get", runId)).toMatchObject({
    run: { error: { message: `rejected by ${userInfo().username}` } },
  });
});

test("all files are validated, those that cannot be read included", async () => {
  const { code, out } = await command(["flows", "validate", "missing.yaml", "asking.yaml"]);
  expect({ code, out }).toEqual({
    code: 2,
    out: "missing.yaml: missing.yaml cannot be read: there is no such file\nasking.yaml: valid\n",
  });
});

test("a starter is YAML and names its schema by a path that others have too", async () => {
  expect(await command(["flows", "init", "a.json"])).toMatchObject({ code: 2, err: expect.stringContaining("a.yaml") });
  mkdirSync(join(folder, "shared"));
  expect(await command(["flows", "init", "shared/a.yaml"])).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, "shared/a.yaml"), "utf8")).toMatch(/\$schema=flow\.schema\.json\n/);
  const schema = readFileSync(join(folder, "shared/flow.schema.json"), "utf8");
  expect(await command(["flows", "schema"])).toMatchObject({ code: 0, out: schema });
});

test("a message that is too large is told with the limit and the setting", async () => {
  writeFileSync(join(folder, "large.txt"), "a".repeat(9_000_000));
  const { code, err } = await command(["run", "hello.yaml", "--input", "who=@large.txt"]);
  expect(code).toBe(2);
  expect(err).toMatch(/the request is larger than the limit of 4194304 bytes \(limits\.max_message_bytes\)/);
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

test("resume takes several runs or a filter, shows what it would do, and continues past a refusal", async () => {
  const start = async (): Promise<string> => (await json("run", "asking.yaml", "--label", "of=many")).runId;
  const [one, two, three] = [await start(), await start(), await start()];
  for (const runId of [one, two, three]) await json("runs", "pause", runId);
  const filter = ["--filter", 'state == "PAUSED"', "--label", "of=many"];
  const shown = await command(["runs", "resume", ...filter]);
  expect(shown).toMatchObject({ code: 0, err: "nothing was changed: 3 run(s) match; add --yes to resume them\n" });
  for (const runId of [one, two, three]) expect(shown.out).toContain(runId);
  expect(await json("runs", "count", ...filter)).toMatchObject({ count: "3" });
  await json("runs", "terminate", two);
  const named = await command(["runs", "resume", one, two]);
  expect(named.code).toBe(4);
  const [, operationId = ""] = /^(\S+) is COMPLETED: 1 of 2 done, 1 failed\n$/.exec(named.out) ?? [];
  expect(named.err).toContain(`operation ${operationId} continues`);
  expect(named.err).toMatch(new RegExp(`\n${two}: [^\n]+\n$`));
  expect(await json("runs", "get", one)).toMatchObject({ run: { state: "RUN_STATE_WAITING" } });
  const rest = await json("runs", "resume", ...filter, "--yes");
  expect(rest).toMatchObject({ state: "OPERATION_STATE_COMPLETED", matchedCount: 1, doneCount: 1 });
  expect(await json("runs", "get", three)).toMatchObject({ run: { state: "RUN_STATE_WAITING" } });
  expect((await json("operations", "list", "--filter", 'action == "RESUME"')).operations).toMatchObject([
    { operationId: rest.operationId, action: "OPERATION_ACTION_RESUME" },
    { operationId },
  ]);
  expect(await command(["operations", "wait", operationId])).toMatchObject({ code: 4 });
  expect(await command(["operations", "cancel", operationId])).toMatchObject({
    code: 0,
    out: `${operationId} is COMPLETED\n`,
  });
  const ended = await command(["runs", "terminate", "--label", "of=many", "--yes"]);
  expect(ended).toMatchObject({ code: 0, out: expect.stringMatching(/is COMPLETED: 3 of 3 done\n$/) });
  expect(await command(["runs", "resume"])).toMatchObject({ code: 2, err: expect.stringContaining("name runs") });
  expect(await command(["runs", "resume", one, ...filter])).toMatchObject({ code: 2 });
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
  // Wrong use is followed by the call that shows how the command is used.
  expect(ended.err).toMatch(/^error: [^\n]+\n(\(\S+ --help lists the commands\)\n)?$/);
});

test("config check names variables that contradict each other, one line each", async () => {
  const ended = await command(["config", "check"], {
    ...{ ORCHESTRATOR_HTTP_PORT: "9001", PORT: "9002" },
    ...{ ORCHESTRATOR_DATABASE_URL: "postgresql://a@h/x", DATABASE_URL: "postgresql://a@h/y" },
  });
  expect(ended).toMatchObject({ code: 0, out: "the configuration is valid\n" });
  expect(ended.err.trimEnd().split("\n")).toEqual([
    "warning: ORCHESTRATOR_HTTP_PORT and PORT differ; ORCHESTRATOR_HTTP_PORT counts",
    "warning: ORCHESTRATOR_DATABASE_URL and DATABASE_URL differ; ORCHESTRATOR_DATABASE_URL counts",
  ]);
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

test("a local run removes what a killed one left, and nothing that is in use", async () => {
  const temporary = join(folder, "left");
  const [left, held, fresh, old] = ["left", "held", "fresh", "old"].map((name) => {
    const data = join(temporary, `orchestrator-local-${name}`, "postgres");
    mkdirSync(data, { recursive: true });
    return data;
  }) as [string, string, string, string];
  // What a kill leaves: the files, and no lock.
  (await lockFolder(left)).release();
  const lock = await lockFolder(held);
  onTestFinished(() => lock.release());
  utimesSync(join(old, ".."), 0, 0);
  expect(await command(["run", "hello.yaml", "--local"], { TMPDIR: temporary })).toMatchObject({ code: 0 });
  expect([left, held, fresh, old].map((data) => existsSync(data))).toEqual([false, true, true, false]);
});
