/** `orchestrator kafka rejected`: messages of inbound topics that were rejected. */
import { type Command, Option } from "commander";
import {
  type RejectedMessage,
  RejectedMessageSchema,
  TopicService,
} from "../../../gen/orchestrator/v1/topic_service_pb.ts";
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
import { formatTime, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

interface RejectedOptions extends ConnectOptions, OutputOptions {
  readonly topic: string;
  readonly cause: string;
  readonly limit: number;
}

const { method } = TopicService;

export function defineRejected(command: Command): void {
  const summary = "list messages that were rejected, the oldest rejection first, or show one with its bytes";
  addOutputOption(addConnectOptions(command.command("rejected").description(summary)))
    .argument("[message]", "id of the message to show; its key, value, and headers are base64")
    .option("--topic <topic>", "name of the topic, as the brokers have it", "")
    .option("--cause <reason>", "why they were rejected, such as NOT_JSON", "")
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action((messageId: string | undefined, { topic, cause, limit, ...options }: RejectedOptions) =>
      withClient(options, async (client) => {
        if (messageId !== undefined) {
          const { message } = await client.call(method.getRejectedMessage, { messageId });
          if (message !== undefined) printJson(toPrintable(RejectedMessageSchema, message));
          return;
        }
        const messages = await readPages(limit, async (pageToken, pageSize) => {
          const page = await client.call(method.listRejectedMessages, { topic, reason: cause, pageToken, pageSize });
          return { lines: page.messages, next: page.nextPageToken };
        });
        if (options.output === "json")
          printJson({ messages: messages.map((message) => toPrintable(RejectedMessageSchema, message)) });
        else toStdout`${formatMessages(messages)}`;
      }),
    );
}

function formatMessages(messages: readonly RejectedMessage[]): Shown {
  const rows = messages.map((message) => [
    message.messageId,
    message.topic,
    String(message.partition),
    message.offset,
    message.reason,
    String(message.sizeBytes),
    formatTime(message.rejectTime),
    message.problem,
  ]);
  return formatTable(["MESSAGE", "TOPIC", "PARTITION", "OFFSET", "REASON", "BYTES", "SINCE", "PROBLEM"], rows);
}
