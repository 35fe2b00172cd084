/** `orchestrator goals`: what is to be done, in words. */
import { type Command, Option } from "commander";
import { toDuration } from "../../../api/mapping/time.ts";
import {
  type Goal,
  type GoalPlan,
  GoalPriority,
  GoalPrioritySchema,
  GoalSchema,
  GoalStatus,
  GoalStatusSchema,
} from "../../../gen/orchestrator/v1/goal_pb.ts";
import { GoalService } from "../../../gen/orchestrator/v1/goal_service_pb.ts";
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
import { readJsonText } from "../../input/input-values.ts";
import { readDollars, readDuration, readTokens } from "../../input/read-amounts.ts";
import { readCount } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { readText } from "../../input/text-sources.ts";
import { type Shown, showLines, toStdout } from "../../terminal/output.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { printDraftEstimate } from "../../terminal/print-draft-estimate.ts";
import { formatTable } from "../../terminal/table.ts";
import { cut } from "../../terminal/terminal.ts";

type Options = ConnectOptions & OutputOptions;

interface SubmitOptions extends Options {
  readonly constraint: readonly string[];
  readonly criterion: readonly string[];
  readonly context?: string;
  readonly priority?: keyof typeof PRIORITIES;
  readonly maxCostUsd?: bigint;
  readonly maxTokens?: bigint;
  /** Milliseconds. */
  readonly maxTime?: number;
}

const { method: rpc } = GoalService;

const PRIORITIES = {
  low: GoalPriority.LOW,
  medium: GoalPriority.MEDIUM,
  high: GoalPriority.HIGH,
  critical: GoalPriority.CRITICAL,
} as const;

const STATUSES = {
  pending: GoalStatus.PENDING,
  processing: GoalStatus.PROCESSING,
  completed: GoalStatus.COMPLETED,
  failed: GoalStatus.FAILED,
  cancelled: GoalStatus.CANCELLED,
} as const;

export function defineGoals(command: Command, context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  leaf("submit", "submit a goal, which is stored once the checks have passed it; print its id")
    .argument("<goal>", "what is to be done; @file reads it from a file (@-: standard input)")
    .option("--constraint <text>", "what must hold while it is done, repeatable", collect, [])
    .option("--criterion <text>", "what must hold when it is done, repeatable", collect, [])
    .option("--context <json>", "what is to be known about it, a JSON object or @file")
    .addOption(
      new Option("--priority <priority>", "which goals begin first (default: medium)").choices(Object.keys(PRIORITIES)),
    )
    .addOption(new Option("--max-cost-usd <dollars>", "what models may cost").argParser(readDollars))
    .addOption(new Option("--max-tokens <count>", "tokens that models may use").argParser(readTokens))
    .addOption(new Option("--max-time <duration>", "how long it may take, such as 10m").argParser(readDuration))
    .action(submit);
  leaf("list", "list goals, newest first")
    .addOption(new Option("--status <status>", "only goals with this status").choices(Object.keys(STATUSES)))
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action(list);
  leaf("get", "show a goal with its plan, and why it does not begin or go on")
    .argument("<goal>", "id of the goal")
    .action((goalId: string, options: Options) =>
      withClient(options, async (client) => {
        const { goal } = await client.call(rpc.getGoal, { goalId });
        if (goal !== undefined) printGoal(goal, options);
      }),
    );
  leaf("watch", "follow a goal until it ends")
    .argument("<goal>", "id of the goal")
    .action((goalId: string, options: Options) =>
      withClient(options, async (client) => {
        let last: Goal | undefined;
        for await (const { frame } of client.stream(rpc.watchGoal, { goalId })) {
          if (frame.case !== "goal") continue;
          last = frame.value;
          if (options.output === "json") printJson(toPrintable(GoalSchema, last));
          else toStdout`${formatTime(last.updateTime)}  ${statusOf(last)}\n`;
        }
        const isBad = last?.status === GoalStatus.FAILED || last?.status === GoalStatus.CANCELLED;
        context.exitWith(isBad ? EXIT.RUN_FAILED : EXIT.OK);
      }),
    );
}

function submit(text: string, options: SubmitOptions): Promise<void> {
  return withClient(options, async (client) => {
    const { constraint, criterion, context, priority, maxCostUsd, maxTokens, maxTime } = options;
    const { goal } = await client.call(rpc.submitGoal, {
      ...{ goal: await readArgument(text), requestId: crypto.randomUUID() },
      ...{ constraints: [...constraint], acceptanceCriteria: [...criterion] },
      ...(priority === undefined ? {} : { priority: PRIORITIES[priority] }),
      ...(context === undefined ? {} : { contextValue: { case: "contextJson", value: await readContext(context) } }),
      budget: {
        ...(maxCostUsd === undefined ? {} : { maxCostMicros: maxCostUsd }),
        ...(maxTokens === undefined ? {} : { maxTokens }),
        ...(maxTime === undefined ? {} : { maxTime: toDuration(maxTime) }),
      },
    });
    if (goal === undefined) return;
    if (options.output === "json") printJson(toPrintable(GoalSchema, goal));
    else toStdout`${goal.goalId}\n`;
  });
}

async function readArgument(text: string): Promise<string> {
  return text.startsWith("@") ? (await readText(text.slice(1))).trimEnd() : text;
}

async function readContext(given: string): Promise<Uint8Array> {
  return Buffer.from(JSON.stringify(await readJsonText(given, "--context")));
}

interface ListOptions extends Options {
  readonly status?: keyof typeof STATUSES;
  readonly limit: number;
}

function list({ status, limit, ...options }: ListOptions): Promise<void> {
  return withClient(options, async (client) => {
    const wanted = status === undefined ? GoalStatus.UNSPECIFIED : STATUSES[status];
    const goals = await readPages(limit, async (pageToken, pageSize) => {
      const page = await client.call(rpc.listGoals, { status: wanted, pageToken, pageSize });
      return { lines: page.goals, next: page.nextPageToken };
    });
    if (options.output === "json") printJson({ goals: goals.map((goal) => toPrintable(GoalSchema, goal)) });
    else toStdout`${formatGoals(goals)}`;
  });
}

function printGoal(goal: Goal, { output }: OutputOptions): void {
  if (output === "json") {
    printJson(toPrintable(GoalSchema, goal));
    return;
  }
  toStdout`${formatGoals([goal])}`;
  for (const text of goal.constraints) toStdout`constraint: ${text}\n`;
  for (const text of goal.acceptanceCriteria) toStdout`criterion: ${text}\n`;
  if (goal.pendingReason !== "") {
    const word = goal.status === GoalStatus.PENDING ? "pending" : "waiting";
    toStdout`${word}: ${goal.pendingReason}\n`;
  }
  if (goal.plan !== undefined) printPlan(goal.plan);
  if (goal.error !== undefined) toStdout`error: ${goal.error.type}: ${goal.error.message}\n`;
}

/** With the command that approves it: the hash says what was read. */
function printPlan({ workRunId, text, planHash, estimate, approvalId, runId, waitingReason }: GoalPlan): void {
  if (text !== "") toStdout`\n${showLines(text.trimEnd())}\n\n`;
  if (estimate !== undefined) printDraftEstimate(estimate);
  if (planHash !== "") toStdout`hash: ${planHash}\n`;
  if (runId !== "") toStdout`run of the plan: ${runId}\n`;
  if (waitingReason !== "") toStdout`waiting: ${waitingReason}\n`;
  if (approvalId === "") return;
  const data = JSON.stringify({ plan_hash: planHash });
  toStdout`approve: orchestrator approvals approve ${workRunId} ${approvalId} --data '${data}'\n`;
  toStdout`reject: orchestrator approvals reject ${workRunId} ${approvalId} --comment "…"\n`;
}

/** What a table shows of the text of a goal, columns. */
const SHOWN_WIDTH = 60;

function formatGoals(goals: readonly Goal[]): Shown {
  const rows = goals.map((goal) => {
    const [first = ""] = goal.goal.split("\n");
    const priority = nameOf(GoalPrioritySchema, goal.priority).toLowerCase();
    return [goal.goalId, statusOf(goal), priority, formatTime(goal.createTime), cut(first, SHOWN_WIDTH)];
  });
  return formatTable(["GOAL", "STATUS", "PRIORITY", "CREATED", "TEXT"], rows);
}

function statusOf({ status }: Goal): string {
  return nameOf(GoalStatusSchema, status).toLowerCase();
}
