/** `orchestrator generate`: templates that a model writes and a person approves. */
import { type Command, Option } from "commander";
import { toDuration } from "../../../api/mapping/time.ts";
import {
  type Generation,
  GenerationComplexity,
  GenerationSchema,
  GenerationStatus,
  GenerationStatusSchema,
} from "../../../gen/orchestrator/v1/generation_pb.ts";
import { GenerationService } from "../../../gen/orchestrator/v1/generation_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { EXIT } from "../../exit-codes.ts";
import { collect } from "../../input/collect.ts";
import { readCount } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { readText } from "../../input/text-sources.ts";
import { type Shown, showLines, toStdout } from "../../terminal/output.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { printDraftEstimate } from "../../terminal/print-draft-estimate.ts";
import { formatTable } from "../../terminal/table.ts";
import { cut } from "../../terminal/terminal.ts";

type Options = ConnectOptions & OutputOptions;

interface DraftOptions extends Options {
  readonly domain?: string;
  readonly complexity?: keyof typeof COMPLEXITIES;
  readonly service: readonly string[];
}

const { method: rpc } = GenerationService;

const COMPLEXITIES = {
  low: GenerationComplexity.LOW,
  medium: GenerationComplexity.MEDIUM,
  high: GenerationComplexity.HIGH,
} as const;

const STATUSES = {
  generating: GenerationStatus.GENERATING,
  draft: GenerationStatus.DRAFT,
  approved: GenerationStatus.APPROVED,
  rejected: GenerationStatus.REJECTED,
  failed: GenerationStatus.FAILED,
} as const;

/** How long the command waits for a draft, milliseconds. */
const WAIT_MS = 50_000;

export function defineGenerations(command: Command, context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  leaf("draft", "have a template written, and show the draft")
    .argument("<prompt>", "what the flow is to do; @file reads it from a file (@-: standard input)")
    .option("--domain <text>", "the field that the flow belongs to")
    .addOption(new Option("--complexity <size>", "how large it may become").choices(Object.keys(COMPLEXITIES)))
    .option(
      "--service <name>",
      "what its tasks may reach, repeatable: data, ai, exec, a service, https://HOST, queue:NAME, …",
      collect,
      [],
    )
    .action((text: string, options: DraftOptions) => draft(text, options, context));
  leaf("list", "list generations, newest first")
    .addOption(new Option("--status <status>", "only generations with this status").choices(Object.keys(STATUSES)))
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action(list);
  leaf("get", "show a generation with its draft, what is wrong with it, and what it would do")
    .argument("<generation>", "id of the generation")
    .action((generationId: string, options: Options) =>
      withClient(options, async (client) => {
        const { generation } = await client.call(rpc.getGeneration, { generationId });
        printGeneration(generation, options);
      }),
    );
  leaf("approve", "make a draft a template")
    .argument("<generation>", "id of the generation")
    .argument("<hash>", "hash of the draft that you have read")
    .option("--comment <text>", "kept with the decision")
    .action((generationId: string, draftHash: string, options: Options & { readonly comment?: string }) =>
      withClient(options, async (client) => {
        const request = { generationId, draftHash, comment: options.comment ?? "", requestId: crypto.randomUUID() };
        const { generation } = await client.call(rpc.approveGeneration, request);
        printDecided(generation, options, context);
      }),
    );
  leaf("reject", "end a generation without a template")
    .argument("<generation>", "id of the generation")
    .option("--comment <text>", "kept with the decision")
    .action((generationId: string, options: Options & { readonly comment?: string }) =>
      withClient(options, async (client) => {
        const request = { generationId, comment: options.comment ?? "", requestId: crypto.randomUUID() };
        const { generation } = await client.call(rpc.rejectGeneration, request);
        printDecided(generation, options, context);
      }),
    );
}

function draft(text: string, options: DraftOptions, context: CommandContext): Promise<void> {
  return withClient(options, async (client) => {
    const { domain = "", complexity, service } = options;
    const { generation } = await client.call(rpc.startGeneration, {
      prompt: text.startsWith("@") ? (await readText(text.slice(1))).trimEnd() : text,
      ...{ domain, requiredServices: [...service], requestId: crypto.randomUUID(), wait: toDuration(WAIT_MS) },
      ...(complexity === undefined ? {} : { complexity: COMPLEXITIES[complexity] }),
    });
    printGeneration(generation, options);
    if (generation?.status === GenerationStatus.FAILED) context.exitWith(EXIT.RUN_FAILED);
  });
}

interface ListOptions extends Options {
  readonly status?: keyof typeof STATUSES;
  readonly limit: number;
}

function list({ status, limit, ...options }: ListOptions): Promise<void> {
  return withClient(options, async (client) => {
    const wanted = status === undefined ? GenerationStatus.UNSPECIFIED : STATUSES[status];
    const generations = await readPages(limit, async (pageToken, pageSize) => {
      const page = await client.call(rpc.listGenerations, { status: wanted, pageToken, pageSize });
      return { lines: page.generations, next: page.nextPageToken };
    });
    if (options.output === "json")
      printJson({ generations: generations.map((generation) => toPrintable(GenerationSchema, generation)) });
    else toStdout`${formatGenerations(generations)}`;
  });
}

function printGeneration(generation: Generation | undefined, { output }: OutputOptions): void {
  if (generation === undefined) return;
  if (output === "json") {
    printJson(toPrintable(GenerationSchema, generation));
    return;
  }
  const { draft: text, problems, estimate, error, waitingReason, draftHash, comment } = generation;
  toStdout`${formatGenerations([generation])}`;
  if (text !== "") toStdout`\n${showLines(text.trimEnd())}\n\n`;
  for (const { path, line, message } of problems)
    toStdout`problem: ${line === 0 ? "" : `line ${line}, `}${path === "" ? "" : `${path}: `}${message}\n`;
  if (estimate !== undefined) printDraftEstimate(estimate);
  if (draftHash !== "") toStdout`hash: ${draftHash}\n`;
  if (waitingReason !== "") toStdout`waiting: ${waitingReason}\n`;
  if (error !== undefined) toStdout`error: ${error.type}: ${error.message}\n`;
  if (comment !== "") toStdout`comment: ${comment}\n`;
}

function printDecided(generation: Generation | undefined, options: OutputOptions, context: CommandContext): void {
  if (generation === undefined) return;
  if (options.output === "json") printJson(toPrintable(GenerationSchema, generation));
  else toStdout`${formatGenerations([generation])}`;
  if (generation.error !== undefined && options.output !== "json") toStdout`error: ${generation.error.message}\n`;
  if (generation.status === GenerationStatus.FAILED) context.exitWith(EXIT.RUN_FAILED);
}

/** What a table shows of the text of a request, columns. */
const SHOWN_WIDTH = 60;

function formatGenerations(generations: readonly Generation[]): Shown {
  const rows = generations.map((generation) => {
    const [first = ""] = generation.prompt.split("\n");
    const status = nameOf(GenerationStatusSchema, generation.status).toLowerCase();
    const { generationId, templateId, createTime } = generation;
    return [generationId, status, templateId, formatTime(createTime), cut(first, SHOWN_WIDTH)];
  });
  return formatTable(["GENERATION", "STATUS", "TEMPLATE", "CREATED", "TEXT"], rows);
}
