/** `orchestrator operations`: bulk jobs over runs. */
import { type Command, Option } from "commander";
import {
  type Operation,
  OperationActionSchema,
  OperationSchema,
  OperationStateSchema,
} from "../../gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../gen/orchestrator/v1/operation_service_pb.ts";
import type { CommandContext } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../connection/connect.ts";
import { endOfOperation, followOperation, progressOf } from "../follow-operation.ts";
import { readCount } from "../input/read-count.ts";
import { readPages } from "../input/read-pages.ts";
import { type Shown, toStdout } from "../terminal/output.ts";
import { formatTime, nameOf, printJson, took, toPrintable } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

export function defineOperations(command: Command, context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const { method } = OperationService;
  leaf("list", "list operations, newest first")
    .option("--filter <cel>", 'for example: state == "COMPLETED" && failed_count > 0')
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action(({ filter = "", ...options }: Options & { readonly filter?: string; readonly limit: number }) =>
      withClient(options, async (client) => {
        const operations = await readPages(options.limit, async (pageToken, pageSize) => {
          const page = await client.call(method.listOperations, { filter, pageToken, pageSize });
          return { lines: page.operations, next: page.nextPageToken };
        });
        if (options.output === "json")
          printJson({ operations: operations.map((operation) => toPrintable(OperationSchema, operation)) });
        else toStdout`${formatOperations(operations)}`;
      }),
    );
  leaf("get", "show an operation with the runs that failed")
    .addArgument(new CompletedArgument("<operation>", "id of the operation", "operation"))
    .action((operationId: string, options: Options) =>
      withClient(options, async (client) => {
        const { operation } = await client.call(method.getOperation, { operationId });
        if (operation === undefined) return;
        if (options.output === "json") return printJson(toPrintable(OperationSchema, operation));
        toStdout`${formatOperations([operation])}`;
        for (const { runId, message } of operation.failures) toStdout`${runId}: ${message}\n`;
      }),
    );
  leaf("wait", "wait until an operation ends")
    .addArgument(new CompletedArgument("<operation>", "id of the operation", "operation"))
    .action((operationId: string, options: Options) =>
      withClient(options, async (client) => {
        const { operation } = await client.call(method.getOperation, { operationId });
        if (operation === undefined) return;
        context.exitWith(endOfOperation(await followOperation(client, operation), options));
      }),
    );
  leaf("cancel", "cancel an operation: runs that were changed stay changed")
    .addArgument(new CompletedArgument("<operation>", "id of the operation", "operation"))
    .action((operationId: string, options: Options) =>
      withClient(options, async (client) => {
        const { operation } = await client.call(method.cancelOperation, { operationId });
        if (operation === undefined) return;
        if (options.output === "json") return printJson(toPrintable(OperationSchema, operation));
        toStdout`${operationId} is ${nameOf(OperationStateSchema, operation.state)}\n`;
      }),
    );
}

function formatOperations(operations: readonly Operation[]): Shown {
  const rows = operations.map((operation) => [
    operation.operationId,
    nameOf(OperationStateSchema, operation.state),
    nameOf(OperationActionSchema, operation.action),
    progressOf(operation),
    formatTime(operation.createTime),
    took(operation.createTime, operation.endTime),
    operation.startedBy,
    operation.filter,
  ]);
  return formatTable(["OPERATION", "STATE", "ACTION", "PROGRESS", "STARTED", "TOOK", "BY", "FILTER"], rows);
}
