/** `orchestrator run`: registers a flow if it is a file, starts a run, and optionally follows it. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../api/client/client.ts";
import { toDuration } from "../../api/mapping/time.ts";
import { fail } from "../../base/errors.ts";
import { parseDurationMs } from "../../base/time/duration.ts";
import type { Flow } from "../../gen/orchestrator/v1/flow_pb.ts";
import { FlowService } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import { RunKeyPolicy, RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import { actorHeaders, actorOf } from "../actor.ts";
import { APPROVAL_ANSWERS, type ApprovalAnswer } from "../ask-approvals.ts";
import type { CommandContext } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  nextCommand,
  type OutputOptions,
  withClient,
} from "../connection/connect.ts";
import { createLocalLog } from "../connection/local-log.ts";
import { EXIT } from "../exit-codes.ts";
import { followRun } from "../follow-run.ts";
import { collect } from "../input/collect.ts";
import { readInput, toDeclared } from "../input/input-values.ts";
import { isSourcePath, readFlowName, readText } from "../input/text-sources.ts";
import { addNearNames } from "../near-names.ts";
import { toStderr } from "../terminal/output.ts";
import { paint } from "../terminal/paint.ts";
import { printOutcome, printStarted } from "../terminal/print-outcome.ts";
import { printWarnings } from "../terminal/print-warnings.ts";

interface RunOptions extends ConnectOptions, OutputOptions {
  readonly input: readonly string[];
  readonly watch?: true;
  readonly wait?: true;
  readonly local?: true;
  readonly worker?: string;
  readonly data?: string;
  readonly config?: string;
  readonly httpAllow?: string;
  readonly runId?: string;
  readonly key?: string;
  readonly keyPolicy: keyof typeof POLICIES;
  readonly label: readonly string[];
  readonly timeout?: string;
  readonly delay?: string;
  readonly correlationId?: string;
  readonly yes?: true;
  readonly approvals?: ApprovalAnswer;
}

const POLICIES = {
  reject: RunKeyPolicy.REJECT,
  return: RunKeyPolicy.RETURN_EXISTING,
  terminate: RunKeyPolicy.TERMINATE_AND_START,
} as const;

export function defineRun(command: Command, context: CommandContext): void {
  command
    .addArgument(
      new CompletedArgument(
        "<flow>",
        "file with a flow (- is standard input), or the id of a registered one: id or id@version",
        "flow",
        "file",
      ),
    )
    .option("-i, --input <name=value>", "value of a variable, repeatable: name=value, name=@file, @file", collect, [])
    .option("-w, --watch", "show the progress of all tasks until the run ends")
    .option("--wait", "wait until the run ends")
    .option("--local", "run in this process on an embedded store, without a service")
    .option("--worker <file>", "like --local, and start this worker for the run: .ts, .js, .py, .go, .sh, or a program")
    .option("--data <folder>", "with --local: keep the store in this folder")
    .option("--http-allow <list>", "with --local: private hosts that http tasks may call: host, host:port, CIDR")
    .option("--config <file>", "with --local: configuration file, as for serve")
    .option("--run-id <id>", "id of the run; can never be reused")
    .option("--key <key>", "business key: at most one open run of the flow has it")
    .addOption(
      new Option("--key-policy <policy>", "what to do if an open run has the key")
        .choices(Object.keys(POLICIES))
        .default("reject"),
    )
    .option("-l, --label <name=value>", "label to find the run by, repeatable", collect, [])
    .option("--timeout <duration>", "time after which the run times out: 90, 5m, 2h")
    .option("--delay <duration>", "time until the first task may start")
    .option("--correlation-id <id>", "id that links the run to work elsewhere")
    .option("-y, --yes", "approve everything the run asks (same as --approvals approve)")
    .addOption(
      new Option(
        "--approvals <answer>",
        "how to answer approvals while watching (default: --local asks in the terminal, otherwise leave)",
      ).choices(APPROVAL_ANSWERS),
    )
    .addHelpText(
      "after",
      `
Values follow the declared type of their variable. Without one, they are JSON if they parse as JSON, else text. name=@@x is the text "@x".
Ctrl-C leaves the run to the service and says how to come back to it. With --local it cancels the run; a second Ctrl-C leaves at once.`,
    )
    .action(async (flow: string, given: RunOptions, called: Command) => {
      const options: RunOptions = given.worker === undefined ? given : { ...given, local: true };
      const next = (words: string): string => nextCommand(words, called);
      for (const field of ["data", "config", "httpAllow"] as const)
        if (options[field] !== undefined && options.local !== true)
          fail("INVALID_REQUEST", {
            problem: `--${field === "httpAllow" ? "http-allow" : field} requires --local`,
            field,
          });
      const code =
        options.local === true
          ? await withLocal(options, (client, interrupt) => run(client, flow, options, next, interrupt))
          : await withClient(options, (client) => run(client, flow, options, next));
      context.exitWith(code);
    });
  addOutputOption(addConnectOptions(command));
}

/**
 * Runs with a service in this process. Ctrl-C never ends the process before the store is closed and, if it is
 * temporary, removed.
 */
async function withLocal(
  options: RunOptions,
  work: (client: ApiClient, interrupt: AbortSignal) => Promise<number>,
): Promise<number> {
  const interrupt = new AbortController();
  // A run that is canceled has a result, which is printed, but the exit code says why it was canceled.
  let cause: number | undefined;
  const cancel = (code: number): void => {
    cause ??= code;
    interrupt.abort();
  };
  const note = (signal: NodeJS.Signals): void => cancel(signal === "SIGINT" ? EXIT.INTERRUPTED : EXIT.TERMINATED);
  process.on("SIGINT", note).on("SIGTERM", note);
  const { data, config, httpAllow, worker } = options;
  const dataDir = data === undefined ? {} : { dataDir: data };
  const log = createLocalLog();
  // A new store takes a second or more, and until then there is nothing to show.
  if (options.watch === true && process.stderr.isTTY === true)
    toStderr`${paint("dim", "starting a service for this run", process.stderr)}\n`;
  try {
    const settings = { log, flags: { config, httpAllow }, ...dataDir };
    const client =
      worker === undefined
        ? await (await import("../connection/local-service.ts")).openLocalService({
            ...settings,
            actor: actorOf(options),
          })
        : await (await import("../connection/worker-service.ts")).openWorkerService({
            ...settings,
            headers: actorHeaders(options),
            worker,
            onWorkerEnd: (why) => {
              toStderr`${why}\n`;
              cancel(EXIT.RUN_FAILED);
            },
          });
    try {
      const code = interrupt.signal.aborted ? EXIT.INTERRUPTED : await work(client, interrupt.signal);
      return cause ?? code;
    } catch (error) {
      await addNearNames(error, client);
      throw error;
    } finally {
      await client.close();
    }
  } finally {
    process.off("SIGINT", note).off("SIGTERM", note);
    log.print();
  }
}

async function run(
  client: ApiClient,
  argument: string,
  options: RunOptions,
  next: (words: string) => string,
  interrupt?: AbortSignal,
): Promise<number> {
  const flow = await resolveFlow(client, argument);
  const input = await readInput(options.input, flow.variables.map(toDeclared), flow.flowId);
  // A local run that was interrupted before it started.
  if (interrupt?.aborted === true) return EXIT.INTERRUPTED;
  const { run: started } = await client.call(RunService.method.startRun, {
    flowId: flow.flowId,
    version: flow.version,
    inputValue: { case: "inputJson", value: Buffer.from(JSON.stringify(input)) },
    requestId: crypto.randomUUID(),
    runId: options.runId ?? "",
    runKey: options.key ?? "",
    runKeyPolicy: POLICIES[options.keyPolicy],
    labels: readLabels(options.label),
    correlationId: options.correlationId ?? "",
    ...(options.timeout === undefined ? {} : { runTimeout: toDuration(parseDurationMs(options.timeout)) }),
    ...(options.delay === undefined ? {} : { startDelay: toDuration(parseDurationMs(options.delay)) }),
  });
  if (started === undefined) throw new Error("the service answered a start without a run");
  const isLocal = options.local === true;
  if (options.watch !== true && options.wait !== true && !isLocal) {
    printStarted(started, options.output, next(`runs watch ${started.runId}`));
    return EXIT.OK;
  }
  const ended = await followRun(client, started.runId, {
    shows: options.watch === true,
    isLocal,
    next,
    ...(interrupt === undefined ? {} : { interrupt }),
    approvals: options.yes === true ? "approve" : (options.approvals ?? (isLocal ? "ask" : "leave")),
  });
  return typeof ended === "number" ? ended : printOutcome(client, ended, options.output);
}

/** The flow in the argument; a file is registered first. */
async function resolveFlow(client: ApiClient, argument: string): Promise<Flow> {
  if (isSourcePath(argument)) {
    const source = await readText(argument);
    const { flow, warnings } = await client.call(FlowService.method.registerFlow, {
      definition: { case: "source", value: source },
    });
    printWarnings(argument, warnings, process.stderr);
    if (flow !== undefined) return flow;
    throw new Error("the service answered a registration without a flow");
  }
  const name = readFlowName(argument);
  const { flow } = await client.call(FlowService.method.getFlow, {
    ...name,
    readMask: { paths: ["flow_id", "version", "variables"] },
  });
  if (flow === undefined) throw new Error("the service answered without a flow");
  return flow;
}

function readLabels(options: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const option of options) {
    const equals = option.indexOf("=");
    if (equals < 1) fail("INVALID_REQUEST", { problem: `--label ${option}: write name=value`, field: "labels" });
    labels[option.slice(0, equals)] = option.slice(equals + 1);
  }
  return labels;
}
