import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { describeCommandLine } from "../../src/cli/command-line.ts";
import { SHELLS } from "../../src/cli/completion/completion-script.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";

const DOCUMENT = readFileSync("docs/cli.md", "utf8");

/** First cells of a table whose rows begin with code or a number, in order. */
const firstCells = [...DOCUMENT.matchAll(/^\| ([`\d][^|]*?) \|/gm)].map(([, cell = ""]) => cell);

test("docs/cli.md has all commands of the program, and no others", async () => {
  const program = await describeCommandLine();
  const real = program.commands.flatMap((command) => namesOf(command)).sort();
  const told = firstCells
    .filter((cell) => cell.startsWith("`"))
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code))
    .flatMap((code) => {
      const [, name = "", rest = ""] = /^(\w+) ?(.*)$/.exec(code) ?? [];
      const below = /^[a-z]/.test(rest) && name !== "completion" ? rest.split(", ") : [];
      if (name === "completion") expect(rest.split(", ")).toEqual([...SHELLS]);
      return below.length === 0 ? [name] : below.map((one) => `${name} ${one}`);
    })
    .sort();
  expect(told).toEqual(real);
});

test("docs/cli.md has all exit codes, and no others", () => {
  const told = firstCells.filter((cell) => /^\d+$/.test(cell)).map(Number);
  expect(told).toEqual(Object.values(EXIT).sort((a, b) => a - b));
});

test("options that docs/cli.md names are options of a command", async () => {
  const program = await describeCommandLine();
  const known = new Set([program, ...allBelow(program)].flatMap(({ options }) => options.map(({ long }) => long)));
  const told = [...DOCUMENT.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([option]) => option);
  expect([...new Set(told)].filter((option) => option !== "--help" && !known.has(option))).toEqual([]);
});

function namesOf(command: Command): readonly string[] {
  if (command.commands.length === 0) return [command.name()];
  return command.commands.map((child) => `${command.name()} ${child.name()}`);
}

function allBelow(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...allBelow(child)]);
}
