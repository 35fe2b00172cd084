/**
 * The command on a real terminal: what it shows, what it asks, and what Ctrl-C does to it and to the processes that it
 * started.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { cleanEnvironment } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { CTRL_C, hasTerminals, openTerminal, type Terminal } from "../support/terminal.ts";

const ROOT = process.cwd();
const folder = createFileFolder();

function command(args: readonly string[], env: Record<string, string> = {}): Terminal {
  return openTerminal([process.execPath, join(ROOT, "src/main.ts"), ...args], {
    cwd: folder,
    env: { ...cleanEnvironment(), CI: "", NO_COLOR: "1", XDG_CONFIG_HOME: join(folder, "config"), ...env },
  });
}

const FLOW = `id: asking
version: "1"
workflow:
  tasks:
    - {id: ask, type: approval, parameters: {title: "Go on?"}}
    - {id: word, type: signal, depends_on: [ask]}
`;

/**
 * A child of the service that answers for as long as it lives: many questions, one after the other, while Ctrl-C is
 * pressed.
 */
const COMPILER = `
import { openCompilerProcess } from "${ROOT}/src/flows/graph/compiler-process.ts";
const compiler = openCompilerProcess();
const document = { id: "f", workflow: { tasks: [{ id: "a", type: "noop" }] } };
process.on("SIGINT", () => {});
for (let asked = 0; asked < 400; asked++) {
  await compiler.structureOf(document);
  if (asked === 10) console.log("asking");
}
await compiler.close();
console.log("all were answered");
`;

describe.skipIf(!hasTerminals())("on a terminal", { timeout: 90_000 }, () => {
  beforeAll(() => {
    writeFileSync(join(folder, "asking.yaml"), FLOW);
    writeFileSync(join(folder, "compiler.ts"), COMPILER);
  });

  // Cause: a terminal interrupts its whole foreground group, so initdb died and the folder was called unusable, with
  // exit code 5.
  test.each([
    { name: "serve", args: ["serve"], code: 0 },
    { name: "run --local", args: ["run", "asking.yaml", "--local", "--data", "DATA"], code: 130 },
  ])("Ctrl-C while $name makes its first data folder is an end in good order", async ({ args, code }) => {
    const data = join(createTemporaryFolder(), "data");
    const terminal = command(
      args.map((word) => (word === "DATA" ? data : word)),
      {
        ORCHESTRATOR_DATA_DIR: data,
        ORCHESTRATOR_PORT: String(await findFreePort()),
        ORCHESTRATOR_METRICS_ENABLED: "false",
      },
    );
    await eventually(
      () => {
        const made = readdirSync(data, { recursive: true, encoding: "utf8" });
        expect(made.some((path) => /new-\w+\/PG_VERSION$/.test(path))).toBe(true);
      },
      { timeoutMs: 30_000, intervalMs: 1 },
    );
    terminal.type(CTRL_C);
    expect({ code: await terminal.ended, text: terminal.text() }).toEqual({
      code,
      text: expect.not.stringMatching(/error|initdb/),
    });
  });

  // Cause: the compiler was in the same foreground group, died of the same key, and the registration of a flow ended as
  // an internal error.
  test("Ctrl-C does not reach the compiler", async () => {
    const terminal = openTerminal([process.execPath, join(folder, "compiler.ts")], {
      cwd: ROOT,
      env: cleanEnvironment(),
    });
    await terminal.see(/asking/);
    for (let presses = 0; presses < 3; presses++) terminal.type(CTRL_C);
    expect({ code: await terminal.ended, text: terminal.text() }).toEqual({
      code: 0,
      text: expect.stringContaining("all were answered"),
    });
  });

  test("the service says where it is and how to go on; Ctrl-C stops it in good order", async () => {
    const port = await findFreePort();
    const terminal = command(["serve"], {
      ORCHESTRATOR_DATA_DIR: join(folder, "served"),
      ORCHESTRATOR_PORT: String(port),
      ORCHESTRATOR_METRICS_ENABLED: "false",
    });
    await terminal.see(/stop +Ctrl-C/);
    // Lines for people above the banner, no JSON.
    expect(terminal.text()).toMatch(/^\[?\d\d:\d\d:\d\d\.\d{3}\]? INFO.*serving/m);
    expect(terminal.text()).toMatch(new RegExp(`address +http://127\\.0\\.0\\.1:${port} `));
    expect(terminal.text()).toMatch(
      new RegExp(`in another terminal: .*flows init .*run .*--server 127\\.0\\.0\\.1:${port}`),
    );

    const env = { ORCHESTRATOR_SERVER: `127.0.0.1:${port}` };
    const watch = command(["run", "asking.yaml", "--watch"], env);
    await watch.see(/ask +approval +WAITING/);
    watch.type(CTRL_C);
    expect(await watch.ended).toBe(130);
    // On a line of its own, whatever the terminal itself showed of the key.
    const [, words = ""] =
      /^(?:\^C)?detached; the run continues: {2}\S+ (runs watch \w{26}) /m.exec(watch.text()) ?? [];
    expect(words, watch.text()).not.toBe("");
    expect(watch.raw()).toMatch(/\r\u001b\[\d+A\u001b\[0J[^\u001b]*detached;[^\n]*\n$/);

    const again = command([...words.split(" "), "--approvals", "ask"], env);
    await again.see(/Go on\?[\s\S]*Approve\?/);
    again.type("what\r");
    await again.see(/Approve\?[\s\S]*Approve\?/);
    again.type("n\r");
    await again.see(/rejected: Go on\?/);
    expect(await again.ended).toBe(1);
    expect(again.text()).toMatch(/error: ask: APPROVAL_REJECTED rejected by \S+\s*$/m);

    terminal.type(CTRL_C);
    expect(await terminal.ended).toBe(0);
    expect(terminal.text()).toMatch(/INFO.*stopped/);
  });

  test("a local run asks in the terminal; Ctrl-C cancels it, also while it asks", async () => {
    const data = join(folder, "local");
    const local = ["run", "asking.yaml", "--local", "--watch", "--data", data];
    const approved = command(local);
    await approved.see(/Go on\?[\s\S]*Approve\?/);
    approved.type("y\r");
    await approved.see(/approved: Go on\?/);
    await approved.see(/word +signal +WAITING/);
    approved.type(CTRL_C);
    await approved.see(/canceling the run; press Ctrl-C again to leave at once/);
    // Cause: the outcome of the canceled run was the exit code.
    expect(await approved.ended).toBe(130);
    expect(approved.text()).toMatch(/^CANCELED in /m);

    const asked = command(local);
    await asked.see(/Approve\?/);
    asked.type(CTRL_C);
    expect(await asked.ended).toBe(130);
    expect(asked.text()).toMatch(/^CANCELED in /m);
  });
});
