/** `orchestrator switch`: stops all calls of the tenant, a flow, a service, or a model, and lets them go on. */
import { Argument, type Command, Option } from "commander";
import { toTimestamp } from "../../../api/mapping/time.ts";
import { refuseField } from "../../../base/field-error.ts";
import { ForcedBreaker, type ToolOverride, ToolOverrideSchema } from "../../../gen/orchestrator/v1/breaker_pb.ts";
import { ToolService } from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readCount } from "../../input/read-count.ts";
import { readFor } from "../../input/read-for.ts";
import { readPages } from "../../input/read-pages.ts";
import { toStdout } from "../../terminal/output.ts";
import { formatTime, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

interface SwitchOptions extends Options {
  readonly reason: string;
  readonly for?: number;
}

const KINDS = ["tenant", "flow", "service", "model"] as const;
type Kind = (typeof KINDS)[number];

/** What stands after the kind. */
const EXAMPLES = { flow: "flow research", service: "service billing", model: "model open/small" } as const;

/** What is stopped, and what goes on. */
const COVERED = {
  tenant: "no call begins and no event leaves, of any flow; calls under way go on",
  flow: "no call of its tasks begins and none of its events leaves; calls under way go on",
  service: "no call of it begins, of any flow; calls under way go on",
  model:
    "no ai task calls it, first or as a fallback, however its name is spelled; calls under way go on, and so do other " +
    "providers that serve it",
} as const satisfies Record<Kind, string>;

const { method } = ToolService;

export function defineSwitch(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const turning = (name: string, summary: string): Command =>
    leaf(name, summary)
      .addArgument(new Argument("<kind>", "what is switched").choices(KINDS))
      .argument("[name]", "flow, service, or provider/model; none for the tenant", "");
  turning("off", "let no call begin, at any instance: tasks are deferred")
    .requiredOption("--reason <text>", "why, for those whose tasks wait")
    .addOption(
      new Option("--for <duration>", "how long, such as 30m (default: until it is on again)").argParser(readFor),
    )
    .action(turnOff);
  turning("on", "let calls begin again").option("--reason <text>", "why, for the log", "").action(turnOn);
  leaf("list", "list what is switched off")
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action(list);
}

function turnOff(kind: Kind, name: string, { reason, for: forMs, ...options }: SwitchOptions): Promise<void> {
  return withClient(options, async (client) => {
    const { override } = await client.call(method.putToolOverride, {
      ...{ ...toTarget(kind, name), breaker: ForcedBreaker.OPEN, changeReason: reason },
      ...(forMs === undefined ? {} : { expireTime: toTimestamp(Date.now() + forMs) }),
    });
    if (override === undefined) return;
    if (options.output === "json") printJson(toPrintable(ToolOverrideSchema, override));
    else toStdout`${describe(kind, name)} is off: ${COVERED[kind]}\n`;
  });
}

function turnOn(kind: Kind, name: string, { reason, ...options }: SwitchOptions): Promise<void> {
  return withClient(options, async (client) => {
    const { wasInForce } = await client.call(method.liftToolOverride, {
      ...toTarget(kind, name),
      changeReason: reason,
    });
    if (options.output === "json") printJson({ kind, name, wasOff: wasInForce });
    else toStdout`${describe(kind, name)} ${wasInForce ? "is on again" : "was not off"}\n`;
  });
}

function list({ limit, ...options }: Options & { readonly limit: number }): Promise<void> {
  return withClient(options, async (client) => {
    const overrides = await readPages(limit, async (pageToken, pageSize) => {
      const page = await client.call(method.listToolOverrides, { pageToken, pageSize });
      return { lines: page.overrides.filter(isSwitch), next: page.nextPageToken };
    });
    if (options.output === "json")
      return printJson({ off: overrides.map((one) => toPrintable(ToolOverrideSchema, one)) });
    const rows = overrides.map((one) => [
      ...nameOf(one),
      formatTime(one.updateTime),
      formatTime(one.expireTime),
      one.actor,
      one.changeReason,
    ]);
    toStdout`${formatTable(["OFF", "NAME", "SINCE", "UNTIL", "BY", "WHY"], rows)}`;
  });
}

/** Overrides of single tasks, and of a service for one flow, are breakers that are forced open. */
function isSwitch({ breaker, task, origin, service, model, flowId }: ToolOverride): boolean {
  const isWhole = task === "" && origin === "" && (flowId === "" || (service === "" && model === ""));
  return breaker === ForcedBreaker.OPEN && isWhole;
}

function nameOf({ service, model, flowId }: ToolOverride): readonly [Kind, string] {
  if (service !== "") return ["service", service];
  if (model !== "") return ["model", model];
  return flowId === "" ? ["tenant", ""] : ["flow", flowId];
}

function describe(kind: Kind, name: string): string {
  return kind === "tenant" ? "the tenant" : `${kind} ${name}`;
}

function toTarget(kind: Kind, name: string) {
  if (kind === "tenant")
    return name === "" ? { anyTarget: true } : refuseField("name", "the tenant has none; leave it out");
  if (name === "") refuseField("name", `write which ${kind} after the word: ${EXAMPLES[kind]}`);
  return kind === "flow" ? { anyTarget: true, flowId: name } : kind === "service" ? { service: name } : { model: name };
}
