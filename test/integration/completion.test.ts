/** Completion in real shells. A shell that the machine lacks is a printed skip, in CI a failure. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Shell } from "../../src/cli/completion/completion-script.ts";
import { cleanEnvironment, type ServeProcess, SHIPPED_TEMPLATES, startServe } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";

function has(shell: Shell): boolean {
  if (spawnSync(shell, ["-c", "true"], { stdio: "ignore" }).status === 0) return true;
  if (process.env.CI) throw new Error(`${shell} is missing, and CI skips nothing`);
  console.log(`skipped: completion for ${shell}, because ${shell} is missing`);
  return false;
}

/** How each shell is asked what it would offer for a line; where files may follow it says FILES. */
const ASK: Readonly<Record<Shell, (script: string, words: readonly string[]) => readonly string[]>> = {
  bash: (script, words) => [
    "-c",
    `. ${script}; COMP_WORDS=(orchestrator "$@"); COMP_CWORD=$#; _orchestrator; printf '%s\\n' "\${COMPREPLY[@]}"`,
    "bash",
    ...words,
  ],
  zsh: (script, words) => [
    "-fc",
    `compdef() { :; }; compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -l -- $@ }; _files() { print FILES }
. ${script}; words=(orchestrator "$@"); CURRENT=$#words; _orchestrator`,
    "zsh",
    ...words,
  ],
  fish: (script, words) => ["-c", `source ${script}; complete -C 'orchestrator ${words.join(" ")}'`],
};

describe.each(["bash", "zsh", "fish"] as const)("completion for %s", (shell) => {
  test.skipIf(!has(shell))(
    "knows commands, options and the values that they take, and files where one may stand",
    () => {
      const folder = createTemporaryFolder();
      const script = join(folder, "script");
      const { stdout } = spawnSync(process.execPath, ["src/main.ts", "completion", shell], { encoding: "utf8" });
      writeFileSync(script, stdout);
      const offers = (...words: string[]): readonly string[] => {
        const { stdout: said, stderr } = spawnSync(shell, ASK[shell](script, words), { cwd: folder, encoding: "utf8" });
        expect(stderr).toBe("");
        // fish adds a summary; zsh leaves it to its own part to compare with what was typed.
        const found = said.split("\n").map((line) => line.split("\t")[0] ?? "");
        return found.filter((word) => word !== "" && word.startsWith(words.at(-1) ?? "")).sort();
      };
      expect(offers("runs", "wa")).toEqual(["wait", "watch"]);
      expect(offers("runs", "list", "-o", "")).toEqual(["json", "table"]);
      expect(offers("runs", "list", "--output", "t")).toEqual(["table"]);
      expect(offers("flows", "init", "--kind", "")).toEqual(["states", "tasks"]);
      expect(offers("completion", "")).toEqual(expect.arrayContaining(["bash", "fish", "zsh"]));
      expect(offers("approvals", "approve", "--comm")).toEqual(["--comment"]);
      // The folder has one file, "script".
      if (shell === "fish") {
        expect(offers("flows", "validate", "")).toEqual(["script"]);
        expect(offers("flows", "")).not.toContain("script");
      }
      if (shell === "zsh") {
        expect(offers("flows", "validate", "")).toContain("FILES");
        expect(offers("flows", "")).not.toContain("FILES");
      }
    },
  );
});

const folder = createFileFolder();
const config = join(folder, "config");
let service: ServeProcess;

function main(args: readonly string[], env: Record<string, string> = {}) {
  const ended = spawnSync(process.execPath, ["src/main.ts", ...args], {
    env: { ...cleanEnvironment(), XDG_CONFIG_HOME: config, ...env },
    encoding: "utf8",
  });
  return { ...ended, lines: ended.stdout.split("\n").filter((line) => line !== "") };
}

beforeAll(async () => {
  service = await startServe({ folder: join(folder, "data"), env: { ORCHESTRATOR_TEMPLATES: SHIPPED_TEMPLATES } });
  // The program as shells find it on the path.
  mkdirSync(join(folder, "bin"));
  writeFileSync(
    join(folder, "bin", "orchestrator"),
    `#!/bin/sh\nexec '${process.execPath}' '${join(process.cwd(), "src/main.ts")}' "$@"\n`,
    { mode: 0o755 },
  );
  for (const id of ["pay-old", "pay-new", "other"]) {
    const source = `id: ${id}\nversion: "1"\nworkflow:\n  tasks:\n    - {id: ask, type: approval, parameters: {title: "Go on?"}}\n`;
    writeFileSync(join(folder, `${id}.yaml`), source);
    const args = ["run", join(folder, `${id}.yaml`), "--run-id", `run-${id}`, "--server", service.address];
    expect(main(args)).toMatchObject({ status: 0, stderr: expect.anything() });
  }
  expect(main(["profiles", "set", "staging", service.address]).status).toBe(0);
}, 120_000);
afterAll(async () => {
  await service.stop();
});

/** What each line offers: words of the line, the last one begun, and the names. */
const CASES: readonly (readonly [words: readonly string[], names: readonly string[]])[] = [
  [
    ["flows", "get", "pay"],
    ["pay-new", "pay-old"],
  ],
  [["flows", "list", "o"], ["other"]],
  [
    ["flows", "graph", "pay"],
    ["pay-new", "pay-old"],
  ],
  [
    ["run", "--watch", "pay-"],
    ["pay-new", "pay-old"],
  ],
  [
    ["runs", "list", "--flow", "pay"],
    ["pay-new", "pay-old"],
  ],
  [
    ["runs", "list", "--state", "CANC"],
    ["CANCELING", "CANCELED"],
  ],
  [
    ["runs", "get", "run-"],
    ["run-other", "run-pay-new", "run-pay-old"],
  ],
  [
    ["runs", "cancel", "-o", "json", "run-pay"],
    ["run-pay-new", "run-pay-old"],
  ],
  [
    ["runs", "resume", "run-other", "run-pay"],
    ["run-pay-new", "run-pay-old"],
  ],
  [
    ["approvals", "approve", "run-pay"],
    ["run-pay-new", "run-pay-old"],
  ],
  [["approvals", "reject", "run-other", "a"], ["ask"]],
  [["profiles", "use", "s"], ["staging"]],
  [["runs", "get", "--profile", "st"], ["staging"]],
  // The second argument of a command that takes one, and a name for a person to choose.
  [["flows", "get", "other", "pay"], []],
  [["runs", "signal", "run-other", "run"], []],
];

/** In bash every line is asked for, in the other shells one of each form: their scripts ask the same command. */
const ASKED: Readonly<Record<Shell, (line: string) => boolean>> = {
  bash: () => true,
  zsh: (line) => /^(flows get pay|runs cancel -o|approvals reject|runs get --profile|flows get other)/.test(line),
  fish: (line) => /^(flows get pay|runs list --state|runs resume|approvals reject|runs signal)/.test(line),
};

describe.each(["bash", "zsh", "fish"] as const)("names in %s", (shell) => {
  const script = join(folder, `script.${shell}`);
  beforeAll(() => writeFileSync(script, main(["completion", shell]).stdout), 60_000);
  const ask = (env: Record<string, string>, words: readonly string[]): readonly string[] => {
    const { stdout, stderr } = spawnSync(shell, ASK[shell](script, words), {
      cwd: join(folder, "bin"),
      env: {
        ...cleanEnvironment(),
        XDG_CONFIG_HOME: config,
        ...env,
        PATH: `${join(folder, "bin")}:${process.env.PATH}`,
      },
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const found = stdout.split("\n").map((line) => line.split("\t")[0] ?? "");
    return found.filter((word) => word !== "" && word !== "FILES" && word.startsWith(words.at(-1) ?? ""));
  };

  test.skipIf(!has(shell))(
    "are those of the service that the line means, the newest first",
    () => {
      const env = { ORCHESTRATOR_SERVER: service.address };
      const cases = CASES.filter(([words]) => ASKED[shell](words.join(" ")));
      expect(cases.length).toBeGreaterThanOrEqual(5);
      for (const [words, names] of cases) expect(ask(env, words), words.join(" ")).toEqual(names);
      // The line wins over the environment.
      const line = ["runs", "get", "--profile", "staging", "run-o"];
      expect(ask({ ORCHESTRATOR_SERVER: "127.0.0.1:1" }, line)).toEqual(["run-other"]);
    },
    120_000,
  );

  test.skipIf(!has(shell))(
    "are none without a service, and nothing is printed",
    () => {
      const env = { ORCHESTRATOR_SERVER: "127.0.0.1:1" };
      expect(ask(env, ["runs", "get", "run-"])).toEqual([]);
      // Options take the place of names that are not there; zsh and fish offer them as always.
      if (shell === "bash") expect(ask(env, ["runs", "get", ""])).toContain("--output");
    },
    60_000,
  );
});

test("ids of operations complete the commands that take one", () => {
  const { stdout } = main(["runs", "resume", "run-other", "run-pay-old", "--server", service.address]);
  const [, id = ""] = /^(\S+) is /.exec(stdout) ?? [];
  expect(id).toMatch(/^op~/);
  for (const command of ["get", "wait", "cancel"]) {
    const words = ["complete", "--", "operations", command, "op"];
    expect(main(words, { ORCHESTRATOR_SERVER: service.address }).lines).toEqual([id]);
  }
});

test("complete prints at most 50 names and no errors, and does not wait for a service that is silent", async () => {
  const server = ["--server", service.address];
  const sources = Array.from({ length: 55 }, (_, i) => {
    const path = join(folder, `many-${i}.yaml`);
    writeFileSync(
      path,
      `id: many-${i}\nversion: "1"\nworkflow:\n  tasks:\n    - {id: a, type: wait, parameters: {duration: 1s}}\n`,
    );
    return path;
  });
  expect(main(["flows", "register", ...sources, ...server]).status).toBe(0);
  const { lines } = main(["complete", "--", "flows", "get", ...server, "many-"]);
  expect(lines).toHaveLength(50);
  expect(lines[0]).toBe("many-54");
  expect(main(["complete", "--", "templates", "get", ...server, ""]).lines.length).toBeGreaterThan(0);

  const silent = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await new Promise((resolve) => silent.once("listening", resolve));
  const { port } = silent.address() as { readonly port: number };
  for (const words of [
    ["runs", "get", "--server", `127.0.0.1:${port}`, ""],
    ["runs", "get", "--server", "127.0.0.1:1", ""],
    ["runs", "get", "--server", "no address", ""],
    ["runs", "get", "--profile", "none", ""],
    ["runs", "get", "--output", "wrong", ""],
    ["no", "command"],
    [],
  ]) {
    const start = performance.now();
    const { status, stdout, stderr } = main(["complete", "--", ...words]);
    expect({ status, stdout, stderr }, words.join(" ")).toEqual({ status: 0, stdout: "", stderr: "" });
    // Without a bound of its own a call waits for 30 s.
    expect(performance.now() - start).toBeLessThan(10_000);
  }
}, 120_000);
