/** `orchestrator flows dry-run`: every way that a run of a flow can take, without calling anything. */
import type { Command } from "commander";
import { parse } from "yaml";
import { refuseField } from "../../../base/field-error.ts";
import { isJsonObject, type Json } from "../../../base/json/json.ts";
import { formatDuration } from "../../../base/time/duration.ts";
import type { DryRunReport } from "../../../engine/dry-run/dry-run.ts";
import type { Mock, Way } from "../../../engine/dry-run/play.ts";
import { CompletedArgument } from "../../completion/completed.ts";
import { addOutputOption, type OutputOptions } from "../../connection/connect.ts";
import { collect } from "../../input/collect.ts";
import { readInput } from "../../input/input-values.ts";
import { readText } from "../../input/text-sources.ts";
import { show, toStdout } from "../../terminal/output.ts";
import { paint } from "../../terminal/paint.ts";
import { printJson } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

interface Options extends OutputOptions {
  readonly input: readonly string[];
  readonly results?: string;
}

export function defineDryRun(command: Command): void {
  addOutputOption(
    command
      .command("dry-run")
      .description("show every way that a run of a flow can take, without a service and without calling anything")
      .addArgument(new CompletedArgument("<file>", "flow in YAML or JSON; - is standard input", "file"))
      .option("-i, --input <name=value>", "value of a variable, repeatable: name=value, name=@file, @file", collect, [])
      .option("--results <file>", "results of tasks, by id: {fetch: {output: …}, pay: {error: {type: …, message: …}}}")
      .action(async (file: string, options: Options) => {
        const { compileFlow } = await import("../../../flows/compile.ts");
        const { dryRun } = await import("../../../engine/dry-run/dry-run.ts");
        const { plan, document } = await compileFlow({ text: await readText(file) });
        const input = await readInput(options.input, plan.variables, plan.flowId);
        const mocks = options.results === undefined ? new Map() : readResults(await readText(options.results));
        const report = await dryRun({ plan, document, input, mocks, now: Date.now() });
        if (options.output === "json") printJson(toJson(report) as unknown as Json);
        else print(report);
      }),
  );
}

function readResults(text: string): ReadonlyMap<string, Mock> {
  let parsed: Json;
  try {
    parsed = parse(text) as Json;
  } catch (error) {
    return refuseField("results", (error as Error).message);
  }
  if (!isJsonObject(parsed)) return refuseField("results", "expected an object with the ids of tasks");
  return new Map(Object.entries(parsed).map(([id, given]) => [id, readResult(id, given)]));
}

function readResult(id: string, given: Json): Mock {
  const { output, error } = isJsonObject(given) ? given : {};
  if (error === undefined && output !== undefined) return { ok: true, output };
  if (!isJsonObject(error) || output !== undefined || typeof error["type"] !== "string")
    return refuseField(`results.${id}`, "set either output or error, and in error at least type");
  const { type, message } = error;
  return { ok: false, error: { type, message: typeof message === "string" ? message : "" } };
}

function print({ ways, isCut, tasks, targets, unreached }: DryRunReport): void {
  const rows = ways.map((way) => [
    way.end,
    way.choices.map(({ about, taken }) => `${about}: ${taken}`).join(", ") || "no choice",
    String(way.calls.length),
    formatDuration(way.durationMs),
    way.error === null ? "" : `${way.error.type}${way.error.task === null ? "" : ` in ${way.error.task}`}`,
  ]);
  toStdout`${formatTable(["END", "CHOICES", "CALLS", "TIME", "ERROR"], rows)}`;
  if (isCut) toStdout`${paint("yellow", "there are more ways; these are the first")}\n`;
  const calls = tasks.map(({ id, type, ways: on, mostCalls }) => [
    id,
    type,
    `${on} of ${ways.length}`,
    String(mostCalls),
  ]);
  if (calls.length > 0) toStdout`\n${formatTable(["TASK", "TYPE", "WAYS", "MOST CALLS"], calls)}`;
  const reached = targets.map(({ kind, name }) => `${kind} ${name === "" ? "(not known)" : name}`);
  if (reached.length > 0) toStdout`\nreaches: ${reached.join(", ")}\n`;
  if (unreached.length > 0) toStdout`on no way: ${unreached.join(", ")}\n`;
  for (const { place, what } of assumptionsOf(ways))
    toStdout`${show`${paint("dim", `assumed for ${place}:`)} ${what}`}\n`;
}

function assumptionsOf(ways: readonly Way[]): Way["assumptions"] {
  const all = ways.flatMap(({ assumptions }) => assumptions);
  return [...new Map(all.map((one) => [`${one.place} ${one.what}`, one])).values()];
}

function toJson({ ways, isCut, tasks, targets, unreached }: DryRunReport) {
  return {
    ways: ways.map(({ choices, end, error, durationMs, calls }) => ({ end, choices, error, durationMs, calls })),
    cut: isCut,
    tasks,
    reaches: targets,
    onNoWay: unreached,
    assumed: assumptionsOf(ways),
  };
}
