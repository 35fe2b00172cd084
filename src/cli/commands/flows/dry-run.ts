/** `orchestrator flows dry-run`: every way that a run of a flow can take, without calling anything. */
import type { Command } from "commander";
import { parse } from "yaml";
import type { ApiClient } from "../../../api/client/client.ts";
import { toDryRun } from "../../../api/mapping/flows/dry-run.ts";
import { fromDuration } from "../../../api/mapping/time.ts";
import { refuseField } from "../../../base/field-error.ts";
import { isJsonObject, type Json, type JsonObject } from "../../../base/json/json.ts";
import { formatDollars } from "../../../base/money.ts";
import { formatDuration } from "../../../base/time/duration.ts";
import type { Mock } from "../../../engine/ports/dry-run/dry-runs.ts";
import {
  DryRunEndSchema,
  type DryRunEstimate,
  DryRunTargetKindSchema,
  type DryRunWay,
} from "../../../gen/orchestrator/v1/flow_dry_run_pb.ts";
import {
  type DryRunFlowResponse,
  DryRunFlowResponseSchema,
  FlowService,
} from "../../../gen/orchestrator/v1/flow_service_pb.ts";
import { CompletedArgument } from "../../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { collect } from "../../input/collect.ts";
import { readInput, toDeclared } from "../../input/input-values.ts";
import { isSourcePath, readFlowName, readText } from "../../input/text-sources.ts";
import { show, toStdout } from "../../terminal/output.ts";
import { paint } from "../../terminal/paint.ts";
import { nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

interface Options extends ConnectOptions, OutputOptions {
  readonly input: readonly string[];
  readonly results?: string;
  readonly local?: true;
}

export function defineDryRun(command: Command): void {
  addOutputOption(
    addConnectOptions(
      command
        .command("dry-run")
        .description("show every way that a run of a flow can take and what it may cost, without calling anything")
        .addArgument(
          new CompletedArgument(
            "<flow>",
            "file (- is standard input), id of a registered flow, or id@version",
            "flow",
            "file",
          ),
        )
        .option(
          "-i, --input <name=value>",
          "value of a variable, repeatable: name=value, name=@file, @file",
          collect,
          [],
        )
        .option(
          "--results <file>",
          "results of tasks, by id: {fetch: {output: …}, pay: {error: {type: …, message: …}}}",
        )
        .option("--local", "without a service, for a file: models and their prices are not known then"),
    ),
  ).action(async (flow: string, options: Options) => {
    const results = options.results === undefined ? new Map() : readResults(await readText(options.results));
    const report =
      options.local === true
        ? await playLocally(flow, options, results)
        : await withClient(options, (client) => play(client, flow, options, results));
    if (options.output === "json") printJson(toJson(report));
    else print(report);
  });
}

/** Has a service play the flow. */
async function play(
  client: ApiClient,
  flow: string,
  { input }: Options,
  results: ReadonlyMap<string, Mock>,
): Promise<DryRunFlowResponse> {
  const { method } = FlowService;
  const given = Object.fromEntries([...results].map(([id, result]) => [id, { outcome: toOutcome(result) }]));
  if (isSourcePath(flow)) {
    const definition = { case: "source" as const, value: await readText(flow) };
    const { flow: checked } = await client.call(method.registerFlow, { definition, validateOnly: true });
    const values = await readInput(input, (checked?.variables ?? []).map(toDeclared), checked?.flowId ?? "");
    return client.call(method.dryRunFlow, { definition, inputValue: toInput(values), results: given });
  }
  const { flowId, version } = readFlowName(flow);
  const found = (await client.call(method.getFlow, { flowId, version })).flow;
  const values = await readInput(input, (found?.variables ?? []).map(toDeclared), flowId);
  const definition = { case: "flowId" as const, value: flowId };
  return client.call(method.dryRunFlow, { definition, version, inputValue: toInput(values), results: given });
}

function toInput(values: JsonObject) {
  return { case: "inputJson" as const, value: Buffer.from(JSON.stringify(values)) };
}

function toOutcome(result: Mock) {
  return result.ok
    ? { case: "outputJson" as const, value: Buffer.from(JSON.stringify(result.output)) }
    : { case: "error" as const, value: result.error };
}

async function playLocally(
  flow: string,
  { input: given }: Options,
  mocks: ReadonlyMap<string, Mock>,
): Promise<DryRunFlowResponse> {
  if (!isSourcePath(flow)) refuseField("local", `${flow} is the id of a flow, which only a service knows; name a file`);
  const { compileFlow } = await import("../../../flows/compile.ts");
  const { dryRun } = await import("../../../engine/dry-run/dry-run.ts");
  const { plan, document } = await compileFlow({ text: await readText(flow) });
  const input = await readInput(given, plan.variables, plan.flowId);
  return toDryRun(await dryRun({ plan, document, input, mocks, estimates: { sizeOf: () => null }, now: Date.now() }));
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

function print({ ways, cut, tasks, targets, unreachedTaskIds, estimate, assumptions }: DryRunFlowResponse): void {
  const asksModels = ways.some(({ reservedTokens }) => reservedTokens > 0n);
  const rows = ways.map((way) => [
    nameOf(DryRunEndSchema, way.end),
    way.choices.map(({ about, taken }) => `${about}: ${taken}`).join(", ") || "no choice",
    String(way.callCount),
    way.duration === undefined ? "" : formatDuration(fromDuration(way.duration)),
    ...(asksModels ? [costOf(way)] : []),
    way.errorType === "" ? "" : `${way.errorType}${way.errorTaskId === "" ? "" : ` in ${way.errorTaskId}`}`,
  ]);
  const columns = ["END", "CHOICES", "CALLS", "TIME", ...(asksModels ? ["MODELS"] : []), "ERROR"];
  toStdout`${formatTable(columns, rows)}`;
  if (cut) toStdout`${paint("yellow", "there are more ways; these are the first")}\n`;
  const calls = tasks.map(({ taskId, type, wayCount, maxCallCount }) => [
    ...[taskId, type, `${wayCount} of ${ways.length}`, String(maxCallCount)],
  ]);
  if (calls.length > 0) toStdout`\n${formatTable(["TASK", "TYPE", "WAYS", "MOST CALLS"], calls)}`;
  const reached = targets.map(
    ({ kind, name }) => `${nameOf(DryRunTargetKindSchema, kind).toLowerCase()} ${name === "" ? "(not known)" : name}`,
  );
  if (reached.length > 0) toStdout`\nreaches: ${reached.join(", ")}\n`;
  if (asksModels && estimate !== undefined) printEstimate(estimate);
  if (unreachedTaskIds.length > 0) toStdout`on no way: ${unreachedTaskIds.join(", ")}\n`;
  for (const { place, text } of assumptions) toStdout`${show`${paint("dim", `assumed for ${place}:`)} ${text}`}\n`;
}

function costOf({ costMicros, reservedTokens }: DryRunWay): string {
  return reservedTokens === 0n ? "" : `${formatDollars(costMicros)}, ${reservedTokens} tokens`;
}

function printEstimate(estimate: DryRunEstimate): void {
  const { minCostMicros, maxCostMicros, minTokens, maxTokens } = estimate;
  const span = (least: string, most: string): string => (least === most ? least : `${least} to ${most}`);
  const cost = span(formatDollars(minCostMicros), formatDollars(maxCostMicros));
  toStdout`models reserve: ${cost}, ${span(String(minTokens), String(maxTokens))} tokens\n`;
  const { unpricedModels, unsizedTaskIds, uncountedTaskIds } = estimate;
  if (unpricedModels.length > 0) toStdout`without a price: ${unpricedModels.join(", ")}\n`;
  if (unsizedTaskIds.length > 0)
    toStdout`may read more, since their input is not known: ${unsizedTaskIds.join(", ")}\n`;
  if (uncountedTaskIds.length > 0) toStdout`not counted: ${uncountedTaskIds.join(", ")}\n`;
}

/** The answer as JSON, with the inputs of calls as they are. */
function toJson(report: DryRunFlowResponse): JsonObject {
  const printed = toPrintable(DryRunFlowResponseSchema, report);
  const ways = report.ways.map(({ calls }, index) => ({
    ...((printed["ways"] as readonly JsonObject[])[index] ?? {}),
    calls: calls.map(({ taskPath, type, attempt, inputJson }) => ({
      ...{ taskPath, type, attempt },
      input: inputJson.length === 0 ? null : (JSON.parse(Buffer.from(inputJson).toString()) as Json),
    })),
  }));
  return { ...printed, ways };
}
