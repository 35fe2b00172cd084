/** `orchestrator breakers`: what the breakers and bulkheads of tools do, and what operators make of them. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import { toTimestamp } from "../../../api/mapping/time.ts";
import { refuseField } from "../../../base/field-error.ts";
import {
  type Breaker,
  BreakerSchema,
  BreakerStateSchema,
  ForcedBreaker,
  type ToolOverride,
  ToolOverrideSchema,
} from "../../../gen/orchestrator/v1/breaker_pb.ts";
import { ToolService } from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import { CompletedOption } from "../../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readCount, readSize } from "../../input/read-count.ts";
import { readFor } from "../../input/read-for.ts";
import { readPages } from "../../input/read-pages.ts";
import { type Shown, toStdout } from "../../terminal/output.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;
type ListOptions = Options & { readonly limit: number };

interface TargetOptions extends Options {
  readonly flow: string;
  readonly task: string;
  readonly reason: string;
}

interface PutOptions extends TargetOptions {
  readonly for?: number;
  readonly maxConcurrent?: number;
  readonly maxQueued?: number;
}

const { method } = ToolService;

export function defineBreakers(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const lines = (): Option => new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount);
  const changing = (name: string, summary: string): Command =>
    leaf(name, summary)
      .argument("<target>", "name of a service, or an origin such as https://billing.example")
      .addOption(new CompletedOption("--flow <flow>", "only calls of this flow", "flow").default(""))
      .option("--task <task>", "only calls of this task", "")
      .option("--reason <text>", "why, for those who look at the breaker", "");
  const putting = (name: string, summary: string): Command =>
    changing(name, summary).addOption(
      new Option("--for <duration>", "how long, such as 30m (default: until it is lifted)").argParser(readFor),
    );

  leaf("list", "list breakers and slots of all instances").addOption(lines()).action(list);
  leaf("overrides", "list the overrides that are in force").addOption(lines()).action(listOverrides);
  putting("open", "let no call through: tasks are deferred").action(put(ForcedBreaker.OPEN));
  putting("close", "let all calls through, whatever becomes of them").action(put(ForcedBreaker.CLOSED));
  putting("resize", "change how many calls may be under way, or wait for a slot, at each instance")
    .addOption(new Option("--max-concurrent <count>", "calls under way at once").argParser(readCount))
    .addOption(new Option("--max-queued <count>", "calls that wait for a slot").argParser(readSize))
    .action(put(null));
  changing("lift", "end the override of a target").action((target: string, { reason, ...options }: TargetOptions) =>
    withClient(options, async (client) => {
      const request = { ...toTarget(target, options), changeReason: reason };
      const { wasInForce } = await client.call(method.liftToolOverride, request);
      if (options.output === "json") printJson({ target, wasInForce });
      else toStdout`${wasInForce ? "the override is lifted" : "there was no override of this target"}\n`;
    }),
  );
  changing("reset", "forget failures: the next call goes through").action(
    (target: string, { reason, ...options }: TargetOptions) =>
      withClient(options, async (client) => {
        await client.call(method.resetBreakers, { ...toTarget(target, options), changeReason: reason });
        if (options.output === "json") printJson({ target });
        else toStdout`breakers of ${target} begin anew\n`;
      }),
  );
}

function put(breaker: ForcedBreaker | null) {
  return (target: string, { reason, for: forMs, maxConcurrent, maxQueued, ...options }: PutOptions): Promise<void> => {
    if (breaker === null && maxConcurrent === undefined && maxQueued === undefined)
      refuseField("size", "set --max-concurrent, --max-queued, or both");
    return withClient(options, async (client: ApiClient) => {
      const { override } = await client.call(method.putToolOverride, {
        ...{ ...toTarget(target, options), ...(breaker === null ? {} : { breaker }), changeReason: reason },
        ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
        ...(maxQueued === undefined ? {} : { maxQueued }),
        ...(forMs === undefined ? {} : { expireTime: toTimestamp(Date.now() + forMs) }),
      });
      if (override === undefined) return;
      if (options.output === "json") printJson(toPrintable(ToolOverrideSchema, override));
      else toStdout`${formatOverrides([override])}`;
    });
  };
}

function toTarget(target: string, { flow, task }: Pick<TargetOptions, "flow" | "task">) {
  return { ...(target.includes("://") ? { origin: target } : { service: target }), flowId: flow, task };
}

function list({ limit, ...options }: ListOptions): Promise<void> {
  return withClient(options, async (client) => {
    const breakers = await readPages(limit, async (pageToken, pageSize) => {
      const page = await client.call(method.listBreakers, { pageToken, pageSize });
      return { lines: page.breakers, next: page.nextPageToken };
    });
    if (options.output === "json") printJson({ breakers: breakers.map((one) => toPrintable(BreakerSchema, one)) });
    else toStdout`${formatBreakers(breakers)}`;
  });
}

function listOverrides({ limit, ...options }: ListOptions): Promise<void> {
  return withClient(options, async (client) => {
    const overrides = await readPages(limit, async (pageToken, pageSize) => {
      const page = await client.call(method.listToolOverrides, { pageToken, pageSize });
      return { lines: page.overrides, next: page.nextPageToken };
    });
    if (options.output === "json")
      printJson({ overrides: overrides.map((one) => toPrintable(ToolOverrideSchema, one)) });
    else toStdout`${formatOverrides(overrides)}`;
  });
}

const FORCED: ReadonlyMap<ForcedBreaker, string> = new Map([
  [ForcedBreaker.OPEN, "FORCED OPEN"],
  [ForcedBreaker.CLOSED, "FORCED CLOSED"],
]);

function formatBreakers(breakers: readonly Breaker[]): Shown {
  const rows = breakers.map((one) => [
    one.service === "" ? one.origin : `${one.service} (${one.origin})`,
    one.flowId,
    one.task,
    FORCED.get(one.forced) ?? nameOf(BreakerStateSchema, one.state),
    String(one.failureCount),
    `${one.runningCount}/${one.maxConcurrent}`,
    `${one.queuedCount}/${one.maxQueued}`,
    one.instanceId,
  ]);
  return formatTable(["TARGET", "FLOW", "TASK", "STATE", "FAILURES", "RUNNING", "QUEUED", "INSTANCE"], rows);
}

function formatOverrides(overrides: readonly ToolOverride[]): Shown {
  const rows = overrides.map((one) => [
    one.service || one.origin,
    one.flowId || "(all)",
    one.task || "(all)",
    FORCED.get(one.breaker) ?? "",
    [
      ...(one.maxConcurrent === undefined ? [] : [`${one.maxConcurrent} at once`]),
      ...(one.maxQueued === undefined ? [] : [`${one.maxQueued} queued`]),
    ].join(", "),
    formatTime(one.expireTime),
    one.actor,
    one.changeReason,
  ]);
  return formatTable(["TARGET", "FLOW", "TASK", "BREAKER", "SIZE", "UNTIL", "BY", "WHY"], rows);
}
