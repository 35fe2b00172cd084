/** `orchestrator budgets`: what calls to models may cost, raising it, and what they have cost. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import { fromDuration, toDuration, toTimestamp } from "../../../api/mapping/time.ts";
import { formatDollars } from "../../../base/money.ts";
import { formatDuration } from "../../../base/time/duration.ts";
import { parseInstantMs, TIME_FORM } from "../../../base/time/rfc3339.ts";
import {
  type Budget,
  BudgetSchema,
  BudgetScope,
  UsageGroup,
  type UsageLine,
  UsageLineSchema,
} from "../../../gen/orchestrator/v1/budget_pb.ts";
import { BudgetService } from "../../../gen/orchestrator/v1/budget_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import { CompletedOption } from "../../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readDollars, readDuration, readTokens } from "../../input/read-amounts.ts";
import { readCount } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { formatCsv } from "../../terminal/csv.ts";
import { type Shown, toStdout } from "../../terminal/output.ts";
import { formatTime, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;
type ListOptions = Options & { readonly limit: number };

interface LimitOptions extends Options {
  readonly maxCostUsd?: bigint;
  readonly maxTokens?: bigint;
  readonly maxSteps?: bigint;
  /** Milliseconds. */
  readonly maxTime?: number;
  readonly reason: string;
}

interface UsageOptions extends Options {
  readonly limit?: number;
  readonly csv: boolean;
  readonly groupBy: readonly UsageGroup[];
  readonly from?: number;
  readonly to?: number;
  readonly flow: string;
}

const { method } = BudgetService;

const SCOPES = { run: BudgetScope.RUN, flow: BudgetScope.FLOW, tenant: BudgetScope.TENANT } as const;

const GROUPS: Readonly<Record<string, UsageGroup>> = {
  flow: UsageGroup.FLOW,
  model: UsageGroup.MODEL,
  user: UsageGroup.USER,
  day: UsageGroup.DAY,
  run: UsageGroup.RUN,
};

export function defineBudgets(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const named = (name: string, summary: string): Command =>
    leaf(name, summary).argument("<budget>", "run.<run>, flow.<flow>, or tenant");
  const limiting = (name: string, summary: string): Command =>
    named(name, summary)
      .addOption(new Option("--max-cost-usd <dollars>", "what calls may cost").argParser(readDollars))
      .addOption(new Option("--max-tokens <count>", "tokens of input and output together").argParser(readTokens))
      .addOption(new Option("--max-steps <count>", "attempts of a run and its child runs").argParser(readTokens))
      .addOption(
        new Option("--max-time <duration>", "how long these attempts may run together, such as 10m").argParser(
          readDuration,
        ),
      )
      .option("--reason <text>", "why, for those who look at the budget", "");
  const lines = (): Option => new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount);

  leaf("list", "list budgets")
    .addOption(new Option("--scope <scope>", "only budgets of this scope").choices(Object.keys(SCOPES)))
    .addOption(lines())
    .action(list);
  named("get", "show a budget")
    .alias("show")
    .action((budgetId: string, options: Options) =>
      show(options, async (client) => (await client.call(method.getBudget, { budgetId })).budget),
    );
  limiting("put", "set the limits of a budget; one that is not given is none").action(
    (budgetId: string, options: LimitOptions) =>
      show(options, async (client) => {
        const request = { budgetId, reason: options.reason, ...limitsOf(options) };
        return (await client.call(method.putBudget, request)).budget;
      }),
  );
  limiting("raise", "raise the limits of a budget: runs that wait for it go on").action(
    (budgetId: string, options: LimitOptions) =>
      show(options, async (client) => {
        const request = { budgetId, reason: options.reason, ...limitsOf(options) };
        return (await client.call(method.raiseBudget, request)).budget;
      }),
  );
  leaf("usage", "show what calls to models have used, in the last 30 days")
    .addOption(
      new Option("--group-by <groups>", `groups, such as flow,model: ${Object.keys(GROUPS).join(", ")}`)
        .default([GROUPS.flow, GROUPS.model], "flow,model")
        .argParser(readGroups),
    )
    .addOption(new Option("--from <time>", "calls from this time on").argParser(readTime))
    .addOption(new Option("--to <time>", "calls before this time").argParser(readTime))
    .addOption(new CompletedOption("--flow <flow>", "only calls of this flow", "flow").default(""))
    .addOption(
      new Option("--limit <count>", "maximum number of lines (default: 50, with --csv all)").argParser(readCount),
    )
    .option("--csv", "print CSV for spreadsheets, with all columns", false)
    .action(usage);
}

function limitsOf({ maxCostUsd: maxCostMicros, maxTokens, maxSteps: maxStepCount, maxTime }: LimitOptions) {
  return {
    ...(maxCostMicros === undefined ? {} : { maxCostMicros }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(maxStepCount === undefined ? {} : { maxStepCount }),
    ...(maxTime === undefined ? {} : { maxTime: toDuration(maxTime) }),
  };
}

function list({ limit, scope, ...options }: ListOptions & { readonly scope?: keyof typeof SCOPES }): Promise<void> {
  return withClient(options, async (client) => {
    const budgets = await readPages(limit, async (pageToken, pageSize) => {
      const query = scope === undefined ? {} : { scope: SCOPES[scope] };
      const page = await client.call(method.listBudgets, { ...query, pageToken, pageSize });
      return { lines: page.budgets, next: page.nextPageToken };
    });
    if (options.output === "json") printJson({ budgets: budgets.map((one) => toPrintable(BudgetSchema, one)) });
    else toStdout`${formatBudgets(budgets)}`;
  });
}

function show(options: Options, ask: (client: ApiClient) => Promise<Budget | undefined>): Promise<void> {
  return withClient(options, async (client) => {
    const budget = await ask(client);
    if (budget === undefined) return;
    if (options.output === "json") return printJson(toPrintable(BudgetSchema, budget));
    toStdout`${formatBudgets([budget])}`;
    const { actor, reason, updateTime } = budget;
    if (actor !== "" || reason !== "")
      toStdout`set${actor === "" ? "" : ` by ${actor}`} at ${formatTime(updateTime)}${reason === "" ? "" : `: ${reason}`}\n`;
  });
}

function usage({ groupBy, from, to, flow: flowId, limit, csv, ...options }: UsageOptions): Promise<void> {
  return withClient(options, async (client) => {
    const times = {
      ...(from === undefined ? {} : { fromTime: toTimestamp(from) }),
      ...(to === undefined ? {} : { toTime: toTimestamp(to) }),
    };
    const most = limit ?? (csv ? Number.MAX_SAFE_INTEGER : 50);
    const lines = await readPages(most, async (pageToken, pageSize) => {
      const page = await client.call(method.listUsage, {
        groupBy: [...groupBy],
        flowId,
        ...times,
        pageToken,
        pageSize,
      });
      return { lines: page.lines, next: page.nextPageToken };
    });
    if (csv) toStdout`${formatUsageCsv(lines)}`;
    else if (options.output === "json") printJson({ lines: lines.map((one) => toPrintable(UsageLineSchema, one)) });
    else toStdout`${formatUsage(lines)}`;
  });
}

function formatBudgets(budgets: readonly Budget[]): Shown {
  const rows = budgets.map((budget) => [
    budget.budgetId,
    budget.maxCostMicros === undefined ? "any" : formatDollars(budget.maxCostMicros),
    formatDollars(budget.settledCostMicros),
    formatDollars(budget.reservedCostMicros),
    budget.maxTokens === undefined ? "any" : String(budget.maxTokens),
    String(budget.settledTokens),
    String(budget.reservedTokens),
    budget.settledTime === undefined
      ? ""
      : `${budget.settledStepCount} of ${budget.maxStepCount === undefined ? "any" : budget.maxStepCount}`,
    budget.settledTime === undefined
      ? ""
      : `${formatDuration(fromDuration(budget.settledTime))} of ${budget.maxTime === undefined ? "any" : formatDuration(fromDuration(budget.maxTime))}`,
    String(budget.waitingRunCount),
  ]);
  const columns = ["BUDGET", "COST LIMIT", "SPENT", "RESERVED", "TOKEN LIMIT", "USED", "RESERVED"];
  return formatTable([...columns, "STEPS", "TIME", "RUNS WAITING"], rows);
}

function formatUsage(lines: readonly UsageLine[]): Shown {
  const rows = lines.map((line) => [
    [line.flowId, line.model, line.userId, line.day, line.runId].filter((value) => value !== "").join(" "),
    String(line.callCount),
    String(line.inputTokens),
    String(line.outputTokens),
    formatDollars(line.costMicros),
    String(line.estimatedCallCount),
    String(line.unpricedCallCount),
  ]);
  return formatTable(["OF", "CALLS", "INPUT", "OUTPUT", "COST", "ESTIMATED", "UNPRICED"], rows);
}

const CSV_COLUMNS = [
  ...["flow_id", "model", "user_id", "day", "run_id", "calls", "input_tokens", "output_tokens", "cost_usd"],
  ...["estimated_calls", "unpriced_calls"],
];

function formatUsageCsv(lines: readonly UsageLine[]): Shown {
  const rows = lines.map((line) => [
    ...[line.flowId, line.model, line.userId, line.day, line.runId],
    ...[line.callCount, line.inputTokens, line.outputTokens, Number(line.costMicros) / 1_000_000],
    ...[line.estimatedCallCount, line.unpricedCallCount],
  ]);
  return formatCsv(CSV_COLUMNS, rows);
}

function readGroups(text: string): UsageGroup[] {
  return text.split(",").map((name) => {
    const group = Object.hasOwn(GROUPS, name.trim()) ? GROUPS[name.trim()] : undefined;
    if (group === undefined) throw new InvalidArgumentError(`expected some of ${Object.keys(GROUPS).join(", ")}`);
    return group;
  });
}

function readTime(text: string): number {
  const at = parseInstantMs(text);
  if (at === undefined) throw new InvalidArgumentError(`expected ${TIME_FORM}`);
  return at;
}
