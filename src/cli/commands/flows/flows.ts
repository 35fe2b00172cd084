/** `orchestrator flows`: writes, checks, registers, and shows flows. */
import { type Command, Option } from "commander";
import { type FieldViolation, fail, isOrchestratorError } from "../../../base/errors.ts";
import { FlowKindSchema, FlowSchema } from "../../../gen/orchestrator/v1/flow_pb.ts";
import { FlowService } from "../../../gen/orchestrator/v1/flow_service_pb.ts";
import { type CommandContext, commandName, quoteWord } from "../../command-context.ts";
import { CompletedArgument } from "../../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { EXIT } from "../../exit-codes.ts";
import { readFlowSchema } from "../../input/flow-schema.ts";
import { STARTERS, writeStarter } from "../../input/flow-starters.ts";
import { readCount } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { isSourcePath, readFlowName, readText } from "../../input/text-sources.ts";
import { printText, show, toStderr, toStdout } from "../../terminal/output.ts";
import { paint } from "../../terminal/paint.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { printWarnings, type ShownWarning, toPlainWarning } from "../../terminal/print-warnings.ts";
import { formatTable } from "../../terminal/table.ts";
import { defineDelete } from "./delete.ts";
import { defineDryRun } from "./dry-run.ts";

type Options = ConnectOptions & OutputOptions;

export function defineFlows(command: Command, context: CommandContext): void {
  addOutputOption(
    command
      .command("validate")
      .description("check flows without a service; print every problem and warning with its line")
      .addArgument(new CompletedArgument("<file...>", "flows in YAML or JSON; - is standard input", "file"))
      .action(async (files: readonly string[], options: OutputOptions) =>
        context.exitWith(await validate(files, options)),
      ),
  );
  command
    .command("init")
    .description("write a starter flow")
    .addArgument(new CompletedArgument("[file]", "file to write", "file").default("flow.yaml"))
    .addOption(new Option("--kind <kind>", "form of the flow").choices(Object.keys(STARTERS)).default("tasks"))
    .option("--id <id>", "id of the flow (default: the file name)")
    .option("--force", "overwrite an existing file")
    .action(async (file: string, options: { kind: keyof typeof STARTERS; id?: string; force?: true }) => {
      const { id, schema } = await writeStarter(file, options);
      toStdout`wrote ${file} with the flow ${id}\n`;
      if (schema !== undefined) toStdout`wrote ${schema}, the JSON Schema for editors\n`;
      const command = `${commandName()} run ${quoteWord(isSourcePath(file) ? file : `./${file}`)} --local --watch`;
      toStderr`${paint("dim", `run it:  ${command}`, process.stderr)}\n`;
    });
  command
    .command("schema")
    .description("print the JSON Schema of flows, for editors")
    .action(async () => printText(await readFlowSchema()));
  defineDryRun(command);
  defineRegistry(command);
  defineDelete(command, context);
  command
    .command("graph")
    .description("draw a flow as Mermaid text")
    .addArgument(new CompletedArgument("<flow>", "file (needs no service), id, or id@version", "flow", "file"))
    .action((argument: string, options: ConnectOptions) => drawFlow(argument, options));
  for (const name of ["graph"]) {
    const one = command.commands.find((child) => child.name() === name);
    if (one !== undefined) addConnectOptions(one);
  }
}

function defineRegistry(command: Command): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  leaf("register", "register flow versions")
    .addArgument(new CompletedArgument("<file...>", "flows in YAML or JSON; - is standard input", "file"))
    .action((files: readonly string[], options: Options) =>
      withClient(options, async (client) => {
        for (const file of files) {
          const definition = { case: "source" as const, value: await readText(file) };
          const { flow, created, warnings } = await client.call(FlowService.method.registerFlow, { definition });
          if (flow === undefined) continue;
          if (options.output === "json")
            printJson({ flow: toPrintable(FlowSchema, flow), created, warnings: warnings.map(toPlainWarning) });
          else {
            toStdout`${flow.flowId}@${flow.version}  ${created ? "registered" : "already registered"}\n`;
            printWarnings(file, warnings, process.stderr);
          }
        }
      }),
    );
  leaf("list", "list the latest version of each flow, or all versions of one")
    .addArgument(new CompletedArgument("[flow]", "id of a flow", "flow"))
    .addOption(new Option("--limit <count>", "maximum number of lines").default(200).argParser(readCount))
    .action((flowId: string | undefined, options: Options & { readonly limit: number }) =>
      withClient(options, async (client) => {
        const flows = await readPages(options.limit, async (pageToken, pageSize) => {
          const { method } = FlowService;
          const page =
            flowId === undefined
              ? await client.call(method.listFlows, { pageToken, pageSize })
              : await client.call(method.listFlowVersions, { flowId, pageToken, pageSize });
          return { lines: page.flows, next: page.nextPageToken };
        });
        if (options.output === "json") return printJson({ flows: flows.map((flow) => toPrintable(FlowSchema, flow)) });
        const rows = flows.map((flow) => [
          flow.flowId,
          flow.version,
          nameOf(FlowKindSchema, flow.kind).toLowerCase(),
          String(flow.taskCount),
          formatTime(flow.createTime),
          flow.description === "" ? flow.name : flow.description,
        ]);
        toStdout`${formatTable(["FLOW", "VERSION", "KIND", "SIZE", "REGISTERED", "DESCRIPTION"], rows)}`;
      }),
    );
  leaf("get", "print the source of a registered flow")
    .addArgument(new CompletedArgument("<flow>", "id or id@version", "flow"))
    .action((argument: string, options: Options) =>
      withClient(options, async (client) => {
        const { flow } = await client.call(FlowService.method.getFlow, readFlowName(argument));
        if (flow === undefined) return;
        if (options.output === "json") printJson(toPrintable(FlowSchema, flow));
        else printText(flow.source.endsWith("\n") ? flow.source : `${flow.source}\n`);
      }),
    );
}

interface Verdict {
  readonly file: string;
  readonly problems: readonly FieldViolation[];
  readonly warnings: readonly ShownWarning[];
}

async function validate(files: readonly string[], { output }: OutputOptions): Promise<number> {
  const { judgeFlow } = await import("../../../flows/compile.ts");
  const { SERVABLE } = await import("../../../flows/check/unserved.ts");
  const verdicts: Verdict[] = [];
  for (const file of files) {
    try {
      verdicts.push({ file, ...(await judgeFlow({ text: await readText(file) }, undefined, SERVABLE)) });
    } catch (error) {
      if (!isOrchestratorError(error)) throw error;
      const problems = error.violations.length > 0 ? error.violations : [{ field: "", description: error.message }];
      verdicts.push({ file, problems, warnings: [] });
    }
  }
  const isGood = verdicts.every(({ problems }) => problems.length === 0);
  if (output === "json") printJson({ valid: isGood, files: verdicts.map(toJson) });
  else for (const verdict of verdicts) printVerdict(verdict);
  return isGood ? EXIT.OK : EXIT.USAGE;
}

function toJson({ file, problems, warnings }: Verdict) {
  return {
    file,
    problems: problems.map(({ field, description, line = 0, column = 0 }) => ({
      path: field,
      line,
      column,
      message: description,
    })),
    warnings: warnings.map(toPlainWarning),
  };
}

function printVerdict({ file, problems, warnings }: Verdict): void {
  if (problems.length === 0) toStdout`${file}: ${paint("green", "valid")}\n`;
  for (const { field, description, line, column } of problems) {
    const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(":");
    toStdout`${place}: ${field === "" ? "" : show`${paint("dim", field)} `}${description}\n`;
  }
  printWarnings(file, warnings, process.stdout);
}

async function drawFlow(argument: string, options: ConnectOptions): Promise<void> {
  if (!isSourcePath(argument)) {
    const mermaid = await withClient(options, async (client) => {
      const answer = await client.call(FlowService.method.getFlowGraph, readFlowName(argument));
      return answer.mermaid;
    });
    printText(mermaid);
    return;
  }
  const source = { text: await readText(argument) };
  const { compileFlow, drawFlow: draw } = await import("../../../flows/compile.ts");
  const { document } = await compileFlow(source).catch((error: unknown) => {
    if (isOrchestratorError(error)) throw error;
    return fail("FLOW_SOURCE_INVALID", { problem: String(error) }, { cause: error });
  });
  printText(await draw(document));
}
