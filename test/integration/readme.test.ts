/**
 * Every block of README.md is executed, in order, against a started service. A language that the machine lacks is a
 * printed skip, in CI a failure.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanEnvironment, type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const ROOT = process.cwd();
const BLOCKS = [...readFileSync("README.md", "utf8").matchAll(/^```(\S*) ?(.*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = "", mark = "", text = ""], index) => ({
    index,
    name: `block ${index + 1} (${language} ${mark})`,
    language,
    mark,
    text,
  }),
);
/** What each block must print, in order. A block that only prepares the next one prints nothing that matters. */
const PRINTS: readonly (readonly [kind: string, ...expected: RegExp[]])[] = [
  ["sh dry-run"],
  ["sh run", /"text": "Hello, Ada!"/, /^\w{26} +hello@1\.0 +COMPLETED/m],
  ["sh run", /"flowId": ?"hello"/, /"state": ?"RUN_STATE_COMPLETED"[\s\S]*"Hello, curl!"/],
  ["sh typescript", /^added \d+ packages/m],
  ["ts run", /Hello, TypeScript!/],
  ["js run", /Hello, browser!/],
  ["sh python"],
  ["python run", /Hello, Python!/],
  ["go save"],
  ["sh go", /Hello, Go!/],
  ["python worker", /Hello, Worker!/],
];
/** The top of the checkout; clients live beside it. */
const folder = join(createFileFolder(), "checkout");
const greetings = join(folder, "../greetings");
let service: ServeProcess;

beforeAll(async () => {
  service = await startServe({ folder: join(folder, "data") });
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(ROOT, "orchestrator"), join(folder, "orchestrator"));
  // The clients as a checkout has them; a copy, because an installation builds in its folder.
  for (const part of ["go", "python", "typescript"])
    cpSync(join(ROOT, "gen", part), join(folder, "gen", part), { recursive: true });
}, 90_000);
afterAll(async () => {
  await service?.stop();
});

function run(command: string, args: readonly string[], env: Record<string, string> = {}, cwd = folder): string {
  const variables = { ...cleanEnvironment(), ORCHESTRATOR_SERVER: service.address, ...env };
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: variables,
    encoding: "utf8",
    timeout: 120_000,
  });
  expect(status, `${command} ${args.join(" ")}\n${error ?? ""}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

function has(command: string, args: readonly string[]): boolean {
  if (spawnSync(command, args, { stdio: "ignore" }).status === 0) return true;
  if (process.env.CI) throw new Error(`${command} ${args.join(" ")} does not work here, and CI skips nothing`);
  console.log(`skipped: the ${command} block of README.md, because ${command} ${args.join(" ")} does not work`);
  return false;
}

function runBlock(language: string, mark: string, given: string): string | null {
  const text = given.replaceAll("localhost:8002", service.address);
  const write = (name: string, at = folder): string => {
    writeFileSync(join(at, name), text);
    return name;
  };
  const venv = { PATH: `${join(folder, "venv/bin")}:${process.env.PATH}` };
  switch (`${language} ${mark}`) {
    case "sh run":
      // Curl alone accepts every status: an example that the service refuses must not pass.
      return run("sh", ["-euc", `curl() { command curl --fail-with-body "$@"; }\n${text}`]);
    case "sh dry-run": {
      const targets = text.trim().split("\n");
      for (const line of targets) {
        // Make alone accepts a folder that has the name of a target that is gone.
        const [, target] = /^make ([a-z-]+)$/.exec(line) ?? expect.unreachable(`${line} is no make target`);
        expect(readFileSync("Makefile", "utf8")).toMatch(new RegExp(`^${target}:`, "m"));
      }
      return targets.map((line) => run("sh", ["-c", `${line} -n`], {}, ROOT)).join("");
    }
    case "sh typescript":
      return run("sh", ["-euc", text]);
    // Cause: the client was installed as a symlink, and found its libraries in the checkout only.
    case "ts run":
      return run(process.execPath, [write("greet.mjs", greetings)], {}, greetings);
    case "js run":
      return run(process.execPath, [write("block.mjs")]);
    case "sh python":
      if (!has("python3", ["-c", "import venv, ensurepip"])) return null;
      run("python3", ["-m", "venv", "venv"]);
      return run("sh", ["-euc", text], { ...venv, PIP_DISABLE_PIP_VERSION_CHECK: "1" });
    case "python run":
      if (!has("python3", ["-c", "import venv, ensurepip"])) return null;
      return run("python", [write("block.py")], venv);
    case "python worker": {
      if (!has("python3", ["-c", "import venv, ensurepip"])) return null;
      write("worker.py");
      const page = readFileSync("docs/how-to/write-a-worker.md", "utf8");
      writeFileSync(join(folder, "greet.yaml"), /^```yaml flow\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? "");
      const greet = "./orchestrator run greet.yaml --input who=Worker --wait";
      return run("sh", ["-euc", `python worker.py & trap "kill $!" EXIT; ${greet}`], venv);
    }
    case "go save":
      mkdirSync(join(folder, "hello"));
      return write("hello/main.go");
    case "sh go":
      return has("go", ["version"]) ? run("sh", ["-euc", text], {}, join(folder, "hello")) : null;
    default:
      throw new Error(`README.md has a block "${language} ${mark}" that nothing knows how to run`);
  }
}

test("README.md has its blocks", () => {
  expect(BLOCKS.map(({ language, mark }) => `${language} ${mark}`)).toEqual(PRINTS.map(([kind]) => kind));
});

// The REST block was answered with 415 and passed: curl ends with 0 whatever it is answered, and one greeting of
// another command was enough.
test.each(BLOCKS)("$name runs and prints what it is there for", { timeout: 180_000 }, ({ index, ...block }) => {
  const output = runBlock(block.language, block.mark, block.text);
  const [, ...expected] = PRINTS[index] ?? expect.unreachable("a block without expectations");
  if (output !== null) for (const text of expected) expect(output).toMatch(text);
});
