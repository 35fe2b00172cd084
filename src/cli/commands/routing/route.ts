/** `orchestrator route`: calls a service by name, as a task that survives crashes and is retried. */
import type { Command } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import { parseJson } from "../../../base/json/json-parse.ts";
import {
  type RoutedTask,
  RoutedTaskSchema,
  RoutedTaskState,
  RoutedTaskStateSchema,
} from "../../../gen/orchestrator/v1/routed_task_pb.ts";
import { RoutingService } from "../../../gen/orchestrator/v1/routing_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { EXIT } from "../../exit-codes.ts";
import { readText } from "../../input/text-sources.ts";
import { printText, toStderr } from "../../terminal/output.ts";
import { nameOf, printJson, took, toPrintable } from "../../terminal/print.ts";

interface Options extends ConnectOptions, OutputOptions {
  readonly payload?: string;
  /** False: the task is submitted, and its id printed. */
  readonly wait: boolean;
}

const { method: rpc } = RoutingService;

/** How long one call waits, seconds. */
const WAIT_S = 50;

export function defineRoute(command: Command, context: CommandContext): void {
  command
    .argument("<service>", "name of the service")
    .argument("<method>", "HTTP method")
    .argument("[path]", "path below the URL of the service, with a query if needed", "/")
    .option("--payload <json>", "body of the call, JSON or @file (@-: standard input)")
    .option("--no-wait", "submit the task and print its id");
  addOutputOption(addConnectOptions(command)).action(
    (service: string, method: string, path: string, options: Options) =>
      withClient(options, async (client) => {
        const { payload, wait } = options;
        const { task } = await client.call(rpc.routeTask, {
          ...{ service, method: method.toUpperCase(), path, requestId: crypto.randomUUID() },
          ...(payload === undefined
            ? {}
            : { payloadValue: { case: "payloadJson" as const, value: await readPayload(payload) } }),
          ...(wait ? { wait: { seconds: BigInt(WAIT_S) } } : {}),
          ...maskOf(options),
        });
        context.exitWith(printTask(await untilEnd(client, task, options), options));
      }),
  );
}

/** What is shown: the answer as exact JSON. */
const SHOWN = [
  "task_id",
  "state",
  "response_status",
  "response_json",
  "retry_count",
  "error",
  "create_time",
  "end_time",
];

/** In JSON the task is shown as a whole. */
const maskOf = ({ output }: OutputOptions) => (output === "json" ? {} : { readMask: { paths: SHOWN } });

async function untilEnd(client: ApiClient, first: RoutedTask | undefined, options: Options): Promise<RoutedTask> {
  let task = first;
  while (options.wait && task?.state === RoutedTaskState.PENDING) {
    const request = { taskId: task.taskId, wait: { seconds: BigInt(WAIT_S) }, ...maskOf(options) };
    ({ task } = await client.call(rpc.getRoutedTask, request));
  }
  if (task === undefined) throw new Error("a routed task is answered with the task");
  return task;
}

async function readPayload(text: string): Promise<Uint8Array> {
  const bytes = Buffer.from(text.startsWith("@") ? await readText(text.slice(1)) : text);
  parseJson(bytes, { field: "--payload", maxBytes: bytes.length + 1 });
  return bytes;
}

/** Prints the answer, and what has become of the task beside it; returns the exit code. */
function printTask(task: RoutedTask, { output }: OutputOptions): number {
  const isFine = task.state === RoutedTaskState.SUCCESS || task.state === RoutedTaskState.PENDING;
  if (output === "json") printJson(toPrintable(RoutedTaskSchema, task));
  else if (task.state === RoutedTaskState.PENDING) printText(`${task.taskId}\n`);
  else {
    const { responseStatus, retryCount, error, responseValue } = task;
    const status = responseStatus === 0 ? "no answer" : `status ${responseStatus}`;
    const retries = retryCount === 0 ? "" : `, ${retryCount} ${retryCount === 1 ? "retry" : "retries"}`;
    const why = error === undefined ? "" : `: ${error.type}: ${error.message}`;
    const state = nameOf(RoutedTaskStateSchema, task.state);
    toStderr`task ${task.taskId} ${state}, ${status}${retries}, ${took(task.createTime, task.endTime)}${why}\n`;
    if (responseValue.case === "responseJson") printJson(JSON.parse(Buffer.from(responseValue.value).toString()));
    if (responseValue.case === "responseRef") toStderr`the answer is payload ${responseValue.value.payloadId}\n`;
  }
  return isFine ? EXIT.OK : EXIT.RUN_FAILED;
}
