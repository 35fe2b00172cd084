import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { describeCommandLine } from "../../src/cli/command-line.ts";
import { SHELLS } from "../../src/cli/completion/completion-script.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";

const DOCUMENT = readFileSync("docs/cli.md", "utf8");

/** First cells of a table whose rows begin with code or a number, in order. */
const firstCells = [...DOCUMENT.matchAll(/^\| ([`\d][^|]*?) \|/gm)].map(([, resident = ""]) => resident);

test("docs/cli.md has all commands of the program, and no others", async () => {
  const program = await describeCommandLine();
  const real = program.commands.flatMap((command) => namesOf(command)).sort();
  const told = firstCells
    .filter((resident) => resident.startsWith("`"))
    .flatMap((resident) => [...resident.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code))
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
  const told = firstCells.filter((resident) => /^\d+$/.test(resident)).map(Number);
  expect(told).toEqual(Object.values(EXIT).sort((a, b) => a - b));
});

test("options that docs/cli.md names are options of a command", async () => {
  const program = await describeCommandLine();
  const known = new Set([program, ...allBelow(program)].flatMap(({ options }) => options.map(({ long }) => long)));
  const told = [...DOCUMENT.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([option]) => option);
  expect([...new Set(told)].filter((option) => option !== "--help" && !known.has(option))).toEqual([]);
});

test("texts of the help begin in lower case and end without a period", async () => {
  const texts = allBelow(await describeCommandLine()).flatMap((command) => [
    command.description(),
    ...command.registeredArguments.map(({ description }) => description),
    ...(takesSettings(command) ? [] : command.options.map(({ description }) => description)),
  ]);
  expect(texts.filter((text) => !/^([a-z]|[A-Z]{2}|HTTP|JSON|Redis|Kafka)/.test(text) || text.endsWith("."))).toEqual(
    [],
  );
});

/** Whether its options are settings, with the texts of docs/config.md. */
function takesSettings({ options }: Command): boolean {
  return options.some(({ long }) => long === "--config");
}

/** Options whose value differs: a number of lines or a declared limit, a folder or a payload, a time or an offset. */
const AMBIGUOUS = new Set(["--limit", "--data", "--to"]);

test("an option has the same value wherever it is", async () => {
  const commands = allBelow(await describeCommandLine()).filter((command) => !takesSettings(command));
  const flags = commands.flatMap(({ options }) => options.map(({ long, flags: one }) => [long ?? "", formOf(one)]));
  const values = Map.groupBy(flags, ([long = ""]) => long);
  const mixed = [...values].filter(
    ([long, all]) => !AMBIGUOUS.has(long) && new Set(all.map(([, value]) => value)).size > 1,
  );
  expect(mixed.map(([long, all]) => `${long}: ${[...new Set(all.map(([, value]) => value))].join(", ")}`)).toEqual([]);
});

function formOf(flags: string): string {
  return /[<[].*/.exec(flags)?.[0] ?? "none";
}

function namesOf(command: Command): readonly string[] {
  if (command.commands.length === 0) return [command.name()];
  return command.commands.map((child) => `${command.name()} ${child.name()}`);
}

function allBelow(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...allBelow(child)]);
}
