/** `orchestrator runs`: shows and controls runs. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../api/client/client.ts";
import { fromTimestamp, toDuration } from "../../api/mapping/time.ts";
import { parseDurationMs } from "../../base/time/duration.ts";
import { RunFindingKindSchema } from "../../gen/orchestrator/v1/run_diagnosis_pb.ts";
import { RunEventSchema } from "../../gen/orchestrator/v1/run_event_pb.ts";
import { type Run, RunStateSchema, RunSummarySchema, RunTaskSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import {
  CountRunsResponseSchema,
  DiagnoseRunResponseSchema,
  RunService,
  WatchRunResponseSchema,
} from "../../gen/orchestrator/v1/run_service_pb.ts";
import { APPROVAL_ANSWERS, type ApprovalAnswer } from "../ask-approvals.ts";
import type { CommandContext, Leaf } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  nextCommand,
  type OutputOptions,
  withClient,
} from "../connection/connect.ts";
import { EXIT } from "../exit-codes.ts";
import { followRun } from "../follow-run.ts";
import { readJsonText } from "../input/input-values.ts";
import { readCount } from "../input/read-count.ts";
import { readPages } from "../input/read-pages.ts";
import { addFilterOptions, type FilterOptions, toFilter } from "../input/run-filter-options.ts";
import { describeEvent } from "../terminal/describe-event.ts";
import { showJson, toStderr, toStdout } from "../terminal/output.ts";
import {
  eventName,
  formatRun,
  formatRuns,
  formatTasks,
  formatTime,
  nameOf,
  printJson,
  runState,
  toPrintable,
} from "../terminal/print.ts";
import { printOutcome, withOutput } from "../terminal/print-outcome.ts";
import { formatTable } from "../terminal/table.ts";
import { cut } from "../terminal/terminal.ts";
import { watchRun } from "../watch-run.ts";
import { defineTrace } from "./runs/runs-trace.ts";
import { defineSteering, printRun } from "./runs-steering.ts";

type Options = ConnectOptions & OutputOptions;

interface ListOptions extends Options, FilterOptions {
  readonly limit: number;
}

export function defineRuns(command: Command, context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  defineLists(leaf);
  defineReads(leaf, context);
  defineSteering(leaf, context);
  defineEvents(leaf);
  defineTrace(leaf);
}

function defineLists(leaf: Leaf): void {
  addFilterOptions(leaf("list", "list runs, newest first"))
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action((options: ListOptions) =>
      withClient(options, async (client) => {
        const filter = toFilter(options);
        const runs = await readPages(options.limit, async (pageToken, pageSize) => {
          const page = await client.call(RunService.method.listRuns, { filter, pageToken, pageSize });
          return { lines: page.runs, next: page.nextPageToken };
        });
        if (options.output === "json") printJson({ runs: runs.map((run) => toPrintable(RunSummarySchema, run)) });
        else toStdout`${formatRuns(runs)}`;
      }),
    );
  addFilterOptions(leaf("count", "count runs by state")).action((options: Options & FilterOptions) =>
    withClient(options, async (client) => {
      const counted = await client.call(RunService.method.countRuns, { filter: toFilter(options) });
      if (options.output === "json") return printJson(toPrintable(CountRunsResponseSchema, counted));
      const rows = counted.stateCounts.map(({ state, count }) => [nameOf(RunStateSchema, state), String(count)]);
      toStdout`${formatTable(["STATE", "RUNS"], [...rows, ["all", String(counted.count)]])}`;
    }),
  );
  leaf("events", "print the journal of a run")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .option("--after <sequence>", "only events after this sequence", readCount)
    .addOption(new Option("--limit <count>", "maximum number of lines").default(1_000).argParser(readCount))
    .action((runId: string, options: Options & { readonly after?: number; readonly limit: number }) =>
      withClient(options, async (client) => {
        const events = await readPages(options.limit, async (pageToken, pageSize) => {
          const request = { runId, afterSequence: options.after ?? 0, pageToken, pageSize };
          const page = await client.call(RunService.method.listRunEvents, request);
          return { lines: page.events, next: page.nextPageToken };
        });
        if (options.output === "json")
          return printJson({ events: events.map((event) => toPrintable(RunEventSchema, event)) });
        const first = events[0]?.eventTime;
        const rows = events.map((event) => {
          const { state, detail } = describeEvent(event);
          return [
            String(event.sequence),
            first === undefined || event.eventTime === undefined
              ? ""
              : `+${((fromTimestamp(event.eventTime) - fromTimestamp(first)) / 1_000).toFixed(3)}s`,
            eventName(event.kind),
            event.taskId,
            event.attempt === 0 ? "" : String(event.attempt),
            state,
            cut(detail, 300),
          ];
        });
        toStdout`${formatTable(["SEQ", "TIME", "EVENT", "TASK", "ATTEMPT", "STATE", "DETAIL"], rows)}`;
      }),
    );
}

function defineReads(leaf: Leaf, context: CommandContext): void {
  leaf("get", "show a run with its tasks")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .action((runId: string, options: Options) =>
      withClient(options, async (client) => {
        const { run } = await client.call(RunService.method.getRun, { runId });
        if (run === undefined) return;
        const tasks = await readTasks(client, runId);
        if (options.output === "json")
          return printJson({
            run: await withOutput(client, run),
            tasks: tasks.map((task) => toPrintable(RunTaskSchema, task)),
          });
        toStdout`${formatRun(run)}\n${formatTasks(tasks)}`;
      }),
    );
  leaf("watch", "follow a run until it ends; with --output json, one frame per line")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .addOption(new Option("--approvals <answer>", "how to answer approvals").choices(APPROVAL_ANSWERS).default("leave"))
    .action((runId: string, options: Options & { readonly approvals: ApprovalAnswer }, called: Command) =>
      withClient(options, async (client) => {
        if (options.output === "json") return context.exitWith(await printFrames(client, runId));
        const next = (words: string): string => nextCommand(words, called);
        const { approvals } = options;
        const ended = await followRun(client, runId, { shows: true, isLocal: false, approvals, next });
        context.exitWith(typeof ended === "number" ? ended : await printOutcome(client, ended, "table"));
      }),
    );
  leaf("wait", "wait until a run ends and print its output")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .option("--timeout <duration>", "give up after this time, with exit code 3: 90, 5m, 2h")
    .action((runId: string, options: Options & { readonly timeout?: string }) =>
      withClient(options, async (client) => {
        const ended = await waitForEnd(client, runId, options.timeout);
        if (ended !== null) return context.exitWith(await printOutcome(client, ended, options.output));
        toStderr`run ${runId} has not ended in ${options.timeout ?? ""}\n`;
        context.exitWith(EXIT.UNAVAILABLE);
      }),
    );
}

async function readTasks(client: ApiClient, runId: string) {
  return readPages(1_000, async (pageToken, pageSize) => {
    const page = await client.call(RunService.method.listRunTasks, { runId, pageToken, pageSize });
    return { lines: page.tasks, next: page.nextPageToken };
  });
}

async function printFrames(client: ApiClient, runId: string): Promise<number> {
  for await (const message of watchRun(client, runId, { includeEphemeral: true })) {
    toStdout`${showJson(toPrintable(WatchRunResponseSchema, message))}\n`;
    if (message.frame.case === "end") return endCode(message.frame.value.run);
  }
  return EXIT.INTERRUPTED;
}

function endCode(run: Run | undefined): number {
  return run !== undefined && runState(run) === "COMPLETED" ? EXIT.OK : EXIT.RUN_FAILED;
}

async function waitForEnd(client: ApiClient, runId: string, timeout: string | undefined): Promise<Run | null> {
  const until = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + parseDurationMs(timeout);
  for (;;) {
    const leftMs = Math.max(0, Math.min(until - performance.now(), 20_000));
    const request = { runId, wait: toDuration(Math.ceil(leftMs)) };
    const { run } = await client.call(RunService.method.waitRun, request, { timeoutMs: leftMs + 30_000 });
    if (run?.endTime !== undefined) return run;
    if (performance.now() >= until) return null;
  }
}

/** Commands that control a single run. */
function defineEvents(leaf: Leaf): void {
  const { method } = RunService;
  leaf("diagnose", "show what a run and its tasks wait for, and which call would move it")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .action((runId: string, options: Options) =>
      withClient(options, async (client) => {
        const answer = await client.call(method.diagnoseRun, { runId });
        if (options.output === "json") return printJson(toPrintable(DiagnoseRunResponseSchema, answer));
        const rows = answer.findings.map(({ taskId, kind, message, eventTime, method: moves }) => [
          taskId === "" ? "(run)" : taskId,
          nameOf(RunFindingKindSchema, kind),
          formatTime(eventTime),
          moves,
          message,
        ]);
        toStdout`${formatTable(["TASK", "WAITS FOR", "TIME", "MOVED BY", "WHY"], rows)}`;
        if (answer.truncated) toStderr`more tasks wait; these are the first\n`;
      }),
    );
  leaf("pause", "pause a run: no further attempt starts")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .option("--reason <text>", "why, stored in the journal", "")
    .action((runId: string, options: Options & { readonly reason: string }) =>
      withClient(options, async (client) => {
        const request = { runId, reason: options.reason, requestId: crypto.randomUUID() };
        printRun((await client.call(method.pauseRun, request)).run, options);
      }),
    );
  leaf("signal", "send a signal to a run")
    .addArgument(new CompletedArgument("<run>", "id of the run", "run"))
    .argument("<name>", "name of the signal")
    .option("--data <json>", "payload: JSON, text, or @file")
    .action((runId: string, signalName: string, options: Options & { readonly data?: string }) =>
      withClient(options, async (client) => {
        const value = options.data === undefined ? null : await readJsonText(options.data, "data");
        const { run } = await client.call(method.signalRun, {
          runId,
          signalName,
          dataValue: { case: "dataJson", value: Buffer.from(JSON.stringify(value)) },
          requestId: crypto.randomUUID(),
        });
        printRun(run, options);
      }),
    );
}
