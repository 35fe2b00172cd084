/** `orchestrator messages`: messages that could not be delivered. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import { fail } from "../../../base/errors.ts";
import { DeadLetterService } from "../../../gen/orchestrator/v1/dead_letter_service_pb.ts";
import {
  MessageDestination,
  MessageDestinationSchema,
  type UndeliveredMessage,
  UndeliveredMessageSchema,
  UndeliveredReasonSchema,
} from "../../../gen/orchestrator/v1/undelivered_message_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readCount } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { type Shown, toStdout } from "../../terminal/output.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

interface SelectOptions extends Options {
  readonly destination?: string;
  readonly place?: string;
  readonly run?: string;
}

interface ChangeOptions extends SelectOptions {
  readonly all?: boolean;
  readonly reason: string;
}

const { method } = DeadLetterService;

const DESTINATIONS: Readonly<Record<string, MessageDestination>> = {
  kafka: MessageDestination.KAFKA,
  redis: MessageDestination.REDIS,
  webhook: MessageDestination.WEBHOOK,
  stream: MessageDestination.STREAM,
};

export function defineMessages(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const selecting = (leafCommand: Command): Command =>
    leafCommand
      .addOption(new Option("--destination <name>", "where they were to go").choices(Object.keys(DESTINATIONS)))
      .option("--place <name>", "topic, endpoint, or Stream")
      .option("--run <run>", "run that sent them");
  selecting(leaf("list", "list messages that could not be delivered, the oldest rejection first"))
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action((options: SelectOptions & { readonly limit: number }) =>
      withClient(options, async (client) => {
        const messages = await readPages(options.limit, async (pageToken, pageSize) => {
          const page = await client.call(method.listUndeliveredMessages, {
            ...{ ...toSelector(options), pageToken, pageSize },
          });
          return { lines: page.messages, next: page.nextPageToken };
        });
        if (options.output === "json")
          printJson({ messages: messages.map((message) => toPrintable(UndeliveredMessageSchema, message)) });
        else toStdout`${formatMessages(messages)}`;
      }),
    );
  leaf("get", "show a message with its content")
    .argument("<message>", "id of the message")
    .action((messageId: string, options: Options) =>
      withClient(options, async (client) => {
        const { message } = await client.call(method.getUndeliveredMessage, { messageId });
        if (message !== undefined) printJson(toPrintable(UndeliveredMessageSchema, message));
      }),
    );
  const changing = (name: "redeliver" | "drop", summary: string, done: string): void => {
    selecting(leaf(name, summary))
      .argument("[messages...]", "ids of the messages")
      .option("--all", "all messages that the other options select")
      .option("--reason <text>", "why, for the record", "")
      .action((messageIds: readonly string[], options: ChangeOptions) =>
        withClient(options, async (client) => {
          const { changed, notFound } = await change(client, name, messageIds, options);
          if (options.output === "json") printJson({ messageIds: changed, notFoundMessageIds: notFound });
          else toStdout`${changed.length} ${changed.length === 1 ? "message" : "messages"} ${done}\n`;
          if (notFound.length > 0) fail("MESSAGE_NOT_FOUND", { messageId: notFound.join(", ") });
        }),
      );
  };
  changing("redeliver", "send messages again", "sent again");
  changing("drop", "remove messages for good", "dropped");
}

/** Changes them a few hundred at a time, until there are none left. */
async function change(
  client: ApiClient,
  name: "redeliver" | "drop",
  messageIds: readonly string[],
  options: ChangeOptions,
): Promise<{ readonly changed: string[]; readonly notFound: string[] }> {
  if ((options.all === true) === messageIds.length > 0)
    fail("INVALID_REQUEST", { problem: "name messages, or select them with --all", field: "messages" });
  const changed: string[] = [];
  const notFound: string[] = [];
  for (let hasMore = true; hasMore; ) {
    const request = {
      ...{ changeReason: options.reason, requestId: crypto.randomUUID() },
      ...(options.all === true ? { selector: toSelector(options) } : { messageIds: [...messageIds] }),
    };
    const answer =
      name === "redeliver"
        ? await client.call(method.redeliverMessages, request)
        : await client.call(method.dropMessages, request);
    changed.push(...answer.messageIds);
    notFound.push(...answer.notFoundMessageIds);
    hasMore = answer.hasMore;
  }
  return { changed, notFound };
}

function toSelector({ destination = "", place = "", run: runId = "" }: SelectOptions) {
  return { destination: DESTINATIONS[destination] ?? MessageDestination.UNSPECIFIED, place, runId };
}

function formatMessages(messages: readonly UndeliveredMessage[]): Shown {
  const rows = messages.map((message) => [
    message.messageId,
    nameOf(MessageDestinationSchema, message.destination).toLowerCase(),
    message.place,
    message.kind,
    message.runId,
    message.taskId,
    nameOf(UndeliveredReasonSchema, message.reason),
    formatTime(message.rejectTime),
    message.problem,
  ]);
  return formatTable(["MESSAGE", "TO", "PLACE", "KIND", "RUN", "TASK", "REASON", "SINCE", "PROBLEM"], rows);
}
