/** `orchestrator triggers`: what events from outside start and signal. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import {
  type Trigger,
  TriggerAction,
  type TriggerEvent,
  TriggerEventSchema,
  TriggerOutcome,
  TriggerSchema,
  TriggerSourceKind,
} from "../../../gen/orchestrator/v1/trigger_pb.ts";
import { TriggerService } from "../../../gen/orchestrator/v1/trigger_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import { CompletedArgument } from "../../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readCount } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { readText } from "../../input/text-sources.ts";
import { type Shown, toStdout } from "../../terminal/output.ts";
import { formatTime, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

interface EventsOptions extends Options {
  readonly outcome?: string;
  readonly limit: number;
}

const { method } = TriggerService;

/** Outcomes as options name them. */
const OUTCOMES: Readonly<Record<string, TriggerOutcome>> = Object.fromEntries(
  Object.entries(TriggerOutcome).flatMap(([name, value]) =>
    typeof value === "number" && value !== TriggerOutcome.UNSPECIFIED ? [[name.toLowerCase(), value]] : [],
  ),
);

export function defineTriggers(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const named = (name: string, summary: string): Command =>
    leaf(name, summary).argument("<trigger>", "id of the trigger");
  leaf("apply", "create triggers, or replace their definitions")
    .addArgument(new CompletedArgument("<file...>", "triggers in YAML or JSON; - is standard input", "file"))
    .action((files: readonly string[], options: Options) =>
      withClient(options, async (client) => {
        const applied: Trigger[] = [];
        for (const file of files) {
          const { trigger } = await client.call(method.putTrigger, { source: await readText(file) });
          if (trigger !== undefined) applied.push(trigger);
        }
        showAll(applied, options);
      }),
    );
  leaf("list", "list triggers by id")
    .option("--flow <flow>", "only those of this flow", "")
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action(({ flow: flowId, limit, ...options }: Options & { readonly flow: string; readonly limit: number }) =>
      withClient(options, async (client) => {
        const triggers = await readPages(limit, async (pageToken, pageSize) => {
          const page = await client.call(method.listTriggers, { flowId, pageToken, pageSize });
          return { lines: page.triggers, next: page.nextPageToken };
        });
        showAll(triggers, options);
      }),
    );
  named("get", "show a trigger with what became of its events").action((triggerId: string, options: Options) =>
    show(options, async (client) => (await client.call(method.getTrigger, { triggerId })).trigger),
  );
  named("events", "list the last events of a trigger, the newest first, with what became of them")
    .addOption(new Option("--outcome <outcome>", "only those with this one").choices(Object.keys(OUTCOMES)))
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action((triggerId: string, { outcome = "", limit, ...options }: EventsOptions) =>
      withClient(options, async (client) => {
        const events = await readPages(limit, async (pageToken, pageSize) => {
          const request = { triggerId, outcome: OUTCOMES[outcome] ?? TriggerOutcome.UNSPECIFIED, pageToken, pageSize };
          const page = await client.call(method.listTriggerEvents, request);
          return { lines: page.events, next: page.nextPageToken };
        });
        if (options.output === "json")
          printJson({ events: events.map((event) => toPrintable(TriggerEventSchema, event)) });
        else toStdout`${formatEvents(events)}`;
      }),
    );
  named("pause", "keep events from having an effect")
    .option("--reason <text>", "why, for those who look at the trigger", "")
    .action((triggerId: string, { reason, ...options }: Options & { readonly reason: string }) =>
      show(options, async (client) => (await client.call(method.pauseTrigger, { triggerId, reason })).trigger),
    );
  named("resume", "end a pause")
    .option("--reason <text>", "why, for the log", "")
    .action((triggerId: string, { reason, ...options }: Options & { readonly reason: string }) =>
      show(options, async (client) => (await client.call(method.resumeTrigger, { triggerId, reason })).trigger),
    );
  named("delete", "delete a trigger; runs go on").action((triggerId: string, options: Options) =>
    withClient(options, async (client) => {
      await client.call(method.deleteTrigger, { triggerId });
      if (options.output === "json") printJson({ triggerId });
      else toStdout`deleted trigger ${triggerId}\n`;
    }),
  );
}

function showAll(triggers: readonly Trigger[], { output }: OutputOptions): void {
  if (output === "json") printJson({ triggers: triggers.map((trigger) => toPrintable(TriggerSchema, trigger)) });
  else toStdout`${formatTriggers(triggers)}`;
}

function show(options: Options, ask: (client: ApiClient) => Promise<Trigger | undefined>): Promise<void> {
  return withClient(options, async (client) => {
    const trigger = await ask(client);
    if (trigger === undefined) return;
    if (options.output === "json") return printJson(toPrintable(TriggerSchema, trigger));
    toStdout`${formatTriggers([trigger])}`;
    const { pause, problem, counts } = trigger;
    if (pause !== undefined) {
      const by = pause.actor === "" ? "somebody" : pause.actor;
      toStdout`paused since ${formatTime(pause.sinceTime)} by ${by}${pause.reason === "" ? "" : `: ${pause.reason}`}\n`;
    }
    if (problem !== "") toStdout`the definition cannot be used: ${problem}\n`;
    if (counts.length > 0) toStdout`${formatCounts(trigger)}`;
  });
}

function formatTriggers(triggers: readonly Trigger[]): Shown {
  const rows = triggers.map(({ triggerId, flowId, source, action, pause, problem, counts }) => [
    triggerId,
    flowId,
    nameOf(TriggerSourceKind, source?.kind ?? 0),
    source?.name ?? "",
    nameOf(TriggerAction, action),
    stateOf(pause !== undefined, problem),
    String(counts.find(({ outcome }) => outcome === TriggerOutcome.ACCEPTED)?.count ?? 0),
    String(counts.find(({ outcome }) => outcome === TriggerOutcome.FAILED)?.count ?? 0),
  ]);
  return formatTable(["TRIGGER", "FLOW", "SOURCE", "NAME", "ACTION", "STATE", "ACCEPTED", "FAILED"], rows);
}

function stateOf(isPaused: boolean, problem: string): string {
  if (problem !== "") return "BROKEN";
  return isPaused ? "PAUSED" : "OPEN";
}

function formatCounts({ counts }: Trigger): Shown {
  const rows = counts.map(({ outcome, count, lastTime, lastEventId, lastRunId, lastProblem }) => [
    nameOf(TriggerOutcome, outcome),
    String(count),
    formatTime(lastTime),
    lastEventId,
    lastRunId,
    lastProblem,
  ]);
  return formatTable(["OUTCOME", "EVENTS", "LAST", "EVENT", "RUN", "PROBLEM"], rows);
}

function formatEvents(events: readonly TriggerEvent[]): Shown {
  const rows = events.map(({ receiveTime, outcome, eventId, runId, problem }) => [
    ...[formatTime(receiveTime), nameOf(TriggerOutcome, outcome), eventId, runId, problem],
  ]);
  return formatTable(["CAME", "OUTCOME", "EVENT", "RUN", "PROBLEM"], rows);
}

/** The name of a value without the prefix of its enum. */
function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, number]) => number === value)?.[0] ?? "";
}
