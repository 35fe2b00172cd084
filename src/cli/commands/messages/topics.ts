/** `orchestrator kafka`: where inbound topics are read, and what of them was rejected. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { RewindTopicResponseSchema, TopicService } from "../../../gen/orchestrator/v1/topic_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { toStdout } from "../../terminal/output.ts";
import { printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";
import { defineRejected } from "./rejected.ts";

interface RewindOptions extends ConnectOptions, OutputOptions {
  readonly to: string;
  readonly partition?: number;
  readonly reason: string;
}

export function defineKafka(command: Command, _context: CommandContext): void {
  defineRejected(command);
  addOutputOption(addConnectOptions(command.command("rewind").description("read messages of a topic again")))
    .argument("<topic>", "name of the topic, such as flow_runs")
    .addOption(
      new Option(
        "--to <position>",
        "offset, or time of the first message, such as 2030-01-31T08:00:00Z",
      ).makeOptionMandatory(),
    )
    .addOption(new Option("--partition <number>", "one partition (default: all)").argParser(readPartition))
    .option("--reason <text>", "why, for the record", "")
    .action((topic: string, { to, partition, reason, ...options }: RewindOptions) =>
      withClient(options, async (client) => {
        const answer = await client.call(TopicService.method.rewindTopic, {
          ...{ topic, reason, position: to },
          ...(partition === undefined ? {} : { partition }),
        });
        if (options.output === "json") return printJson(toPrintable(RewindTopicResponseSchema, answer));
        const rows = answer.partitions.map((one) => [one.partition, one.fromOffset, one.toOffset].map(String));
        toStdout`${formatTable(["PARTITION", "FROM", "TO"], rows)}`;
      }),
    );
}

function readPartition(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("expected the number of a partition");
  return Number(text);
}
