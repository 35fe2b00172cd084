/** Every block of README.md is executed, in order, against a started service. A language that the machine lacks is a printed skip, in CI a failure. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cleanEnvironment, type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const ROOT = process.cwd();
const BLOCKS = [...readFileSync("README.md", "utf8").matchAll(/^```(\S*) ?(.*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = "", mark = "", text = ""], index) => ({
    name: `block ${index + 1} (${language} ${mark})`,
    language,
    mark,
    text,
  }),
);
const folder = createFileFolder();
let service: ServeProcess;

beforeAll(async () => {
  service = await startServe({ folder: join(folder, "data") });
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join(ROOT, "orchestrator"), join(folder, "orchestrator"));
  for (const scope of ["@connectrpc", "@bufbuild"])
    symlinkSync(join(ROOT, "node_modules", scope), join(folder, "node_modules", scope));
  symlinkSync(join(ROOT, "gen/typescript"), join(folder, "node_modules/orchestrator-flows-client"));
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
  const write = (name: string): string => {
    writeFileSync(join(folder, name), text);
    return name;
  };
  switch (`${language} ${mark}`) {
    case "sh run":
      return run("sh", ["-eu", write("block.sh")]);
    case "sh dry-run":
      return text
        .trim()
        .split("\n")
        .map((line) => run("sh", ["-c", `${line} -n`], {}, ROOT))
        .join("");
    case "ts run":
      return run(process.execPath, ["--preserve-symlinks", write("block.ts")]);
    case "js run":
      return run(process.execPath, [write("block.mjs")]);
    case "python run": {
      if (!has("python3", ["-c", "import venv, ensurepip"])) return null;
      run("python3", ["-m", "venv", "venv"]);
      run(join(folder, "venv/bin/pip"), [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        join(ROOT, "gen/python"),
      ]);
      return run(join(folder, "venv/bin/python"), [write("block.py")]);
    }
    case "go run": {
      if (!has("go", ["version"])) return null;
      const go = join(folder, "go");
      mkdirSync(go, { recursive: true });
      for (const name of ["go.mod", "go.sum"])
        writeFileSync(
          join(go, name),
          readFileSync(`test/clients/go/${name}`, "utf8").replace("../../../gen/go", join(ROOT, "gen/go")),
        );
      writeFileSync(join(go, "main.go"), text);
      return run("go", ["run", "."], {}, go);
    }
    default:
      throw new Error(`README.md has a block "${language} ${mark}" that nothing knows how to run`);
  }
}

test("README.md has its blocks", () => {
  expect(BLOCKS.map(({ language }) => language)).toEqual(["sh", "sh", "sh", "ts", "js", "python", "go"]);
});

test.each(BLOCKS)("$name runs", { timeout: 180_000 }, ({ language, mark, text }) => {
  const output = runBlock(language, mark, text);
  if (output !== null && mark === "run" && text.includes("hello")) expect(output).toMatch(/Hello, |hello/);
});
