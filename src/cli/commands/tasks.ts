/** `orchestrator tasks`: ends tasks in the place of their workers. */
import type { Command } from "commander";
import { parseJson } from "../../base/json/json-parse.ts";
import { type RunTask, RunTaskSchema, TaskStateSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CommandContext } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../connection/connect.ts";
import { readText } from "../input/text-sources.ts";
import { toStdout } from "../terminal/output.ts";
import { nameOf, printJson, toPrintable } from "../terminal/print.ts";

interface Options extends ConnectOptions, OutputOptions {
  readonly reason: string;
}

interface CompleteOptions extends Options {
  readonly result?: string;
}

interface FailOptions extends Options {
  readonly type: string;
  readonly message: string;
  readonly final?: true;
}

export function defineTasks(command: Command, _context: CommandContext): void {
  defineTask(command, "complete", "complete a task in the place of its worker or callback")
    .option("--result <json>", "output of the task, JSON or @file (default: null)")
    .action((runId: string, taskId: string, options: CompleteOptions) =>
      withClient(options, async (client) => {
        const { reason, result } = options;
        const outputJson = result === undefined ? undefined : await readResult(result);
        const { task } = await client.call(RunService.method.completeTask, {
          ...{ runId, taskId, reason, requestId: crypto.randomUUID() },
          ...(outputJson === undefined ? {} : { outputValue: { case: "outputJson", value: outputJson } }),
        });
        printTask(runId, task, options);
      }),
    );
  defineTask(command, "fail", "fail the attempt of a task in the place of its worker or callback")
    .option("--type <type>", "type of the error, which retry policies and flows match", "FAILED_BY_HAND")
    .option("--message <text>", "message of the error", "")
    .option("--final", "no further attempt")
    .action((runId: string, taskId: string, options: FailOptions) =>
      withClient(options, async (client) => {
        const { reason, type: errorType, message: errorMessage, final: nonRetryable = false } = options;
        const named = { runId, taskId, reason, requestId: crypto.randomUUID() };
        const request = { ...named, errorType, errorMessage, nonRetryable };
        printTask(runId, (await client.call(RunService.method.failTask, request)).task, options);
      }),
    );
}

function defineTask(parent: Command, name: string, summary: string): Command {
  const command = parent
    .command(name)
    .description(summary)
    .addArgument(new CompletedArgument("<run>", "run of the task", "run"))
    .argument("<task>", "path or external id of the task")
    .option("--reason <text>", "why, stored in the journal", "");
  addOutputOption(addConnectOptions(command));
  return command;
}

async function readResult(given: string): Promise<Uint8Array> {
  const text = given.startsWith("@") ? await readText(given.slice(1)) : given;
  parseJson(text, { field: "result" });
  return Buffer.from(text);
}

function printTask(runId: string, task: RunTask | undefined, { output }: Options): void {
  if (task === undefined) return;
  if (output === "json") printJson(toPrintable(RunTaskSchema, task));
  else toStdout`${task.taskId} of ${runId} is ${nameOf(TaskStateSchema, task.state)}\n`;
}
