/** `orchestrator limits`: who holds slots and who waits, declaring bounds, and pausing. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import { fromDuration, fromTimestamp, toDuration, toTimestamp } from "../../../api/mapping/time.ts";
import { refuseField } from "../../../base/field-error.ts";
import {
  DURATION_FORM,
  DURATION_PATTERN,
  formatDuration,
  isZeroDuration,
  parseDurationMs,
} from "../../../base/time/duration.ts";
import { parseInstantMs, TIME_FORM } from "../../../base/time/rfc3339.ts";
import {
  type Limit,
  type LimitDeclaration,
  type LimitKey,
  LimitKeySchema,
  type LimitPause,
  LimitSchema,
  type LimitSlot,
  LimitSlotSchema,
  LimitSlotState,
  LimitSlotStateSchema,
} from "../../../gen/orchestrator/v1/limit_pb.ts";
import { GetLimitResponseSchema, LimitService } from "../../../gen/orchestrator/v1/limit_service_pb.ts";
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
import { readFor } from "../../input/read-for.ts";
import { readPages } from "../../input/read-pages.ts";
import { type Shown, toStdout } from "../../terminal/output.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";
import { formatAge } from "../../terminal/terminal.ts";

type Options = ConnectOptions & OutputOptions;
type ListOptions = Options & { readonly limit: number };
type Changing = Options & { readonly reason: string };

const { method } = LimitService;

export function defineLimits(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const named = (name: string, summary: string): Command =>
    leaf(name, summary).addArgument(new CompletedArgument("<limit>", "name of the limit", "limit"));
  const changing = (name: string, summary: string): Command =>
    named(name, summary).option("--reason <text>", "why, for those who look at the limit", "");
  const lines = (): Option => new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount);
  const onlyKey = (): Option => new Option("--key <key>", "only this key, which may be empty");

  leaf("list", "list limits by name").addOption(lines()).action(list);
  named("get", "show a limit: its bounds, the flows that name it, and the keys for which most tasks wait")
    .alias("show")
    .action(showLimit);
  named("keys", "list the keys of a limit").addOption(lines()).action(listKeys);
  named("slots", "list the tasks that hold slots of a limit, and then those that wait")
    .addOption(onlyKey())
    .addOption(new Option("--state <state>", "only tasks in this state").choices(["waiting", "granted", "taken"]))
    .addOption(lines())
    .action(listSlots);
  changing("put", "declare a limit: its bounds go before those in flows")
    .addOption(new Option("--max-concurrent <count>", "attempts under way at once").argParser(readBound))
    .addOption(new Option("--rate <count/time>", "how many may begin per time, such as 100/1m").argParser(readRate))
    .action((name: string, { maxConcurrent, rate, reason, ...options }: PutOptions) => {
      if (maxConcurrent === undefined && rate === undefined)
        refuseField("limit", "set --max-concurrent, --rate, or both");
      return show(options, async (client) => {
        const bounds = {
          ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
          ...(rate === undefined ? {} : { rate: { count: rate.count, per: toDuration(rate.perMs) } }),
        };
        return (await client.call(method.putLimit, { name, reason, ...bounds })).limit;
      });
    });
  changing("pause", "let no attempt begin; those that are under way go on")
    .addOption(onlyKey())
    .addOption(
      new Option("--for <duration>", "how long, such as 30m (default: until it is resumed)").argParser(readFor),
    )
    .addOption(
      new Option("--until <time>", "until when, such as 2030-01-31T08:00:00Z").argParser(readUntil).conflicts("for"),
    )
    .action((name: string, { key, for: forMs, until, reason, ...options }: PauseOptions) =>
      show(options, async (client) => {
        const end = until ?? (forMs === undefined ? undefined : Date.now() + forMs);
        const request = {
          ...{ name, reason, ...keyOf(key) },
          ...(end === undefined ? {} : { untilTime: toTimestamp(end) }),
        };
        return (await client.call(method.pauseLimit, request)).limit;
      }),
    );
  changing("resume", "end the pauses of a limit and of its keys, or those of one key")
    .addOption(onlyKey())
    .action((name: string, { key, reason, ...options }: Changing & { readonly key?: string }) =>
      show(options, async (client) => (await client.call(method.resumeLimit, { name, reason, ...keyOf(key) })).limit),
    );
  changing("delete", "remove what was declared: the bounds in flows hold again")
    .option("--force", "also while flows rely on it: their tasks then wait until it is declared again", false)
    .action((name: string, { force, reason, ...options }: Changing & { readonly force: boolean }) =>
      withClient(options, async (client) => {
        const { wasDeclared } = await client.call(method.deleteLimit, { name, force, reason });
        if (options.output === "json") printJson({ name, wasDeclared });
        else toStdout`limit ${name} ${wasDeclared ? "is not declared any more" : "was not declared"}\n`;
      }),
    );
}

interface PutOptions extends Changing {
  readonly maxConcurrent?: number;
  readonly rate?: Rate;
}

interface PauseOptions extends Changing {
  readonly key?: string;
  readonly for?: number;
  readonly until?: number;
}

interface Rate {
  readonly count: number;
  readonly perMs: number;
}

function keyOf(key: string | undefined): { readonly key?: string } {
  return key === undefined ? {} : { key };
}

function list({ limit, ...options }: ListOptions): Promise<void> {
  return withClient(options, async (client) => {
    const limits = await readPages(limit, async (pageToken, pageSize) => {
      const page = await client.call(method.listLimits, { pageToken, pageSize });
      return { lines: page.limits, next: page.nextPageToken };
    });
    if (options.output === "json") printJson({ limits: limits.map((one) => toPrintable(LimitSchema, one)) });
    else toStdout`${formatLimits(limits)}`;
  });
}

function showLimit(name: string, options: Options): Promise<void> {
  return withClient(options, async (client) => {
    const answer = await client.call(method.getLimit, { name });
    if (options.output === "json") return printJson(toPrintable(GetLimitResponseSchema, answer));
    const { limit, busiestKeys, uses } = answer;
    if (limit === undefined) return;
    printLimit(limit);
    for (const { flowId, version, relies } of uses)
      toStdout`named by ${flowId} ${version}${relies ? ", which relies on the declaration" : ""}\n`;
    if (busiestKeys.length > 0) toStdout`${formatKeys(busiestKeys)}`;
  });
}

function listKeys(name: string, { limit, ...options }: ListOptions): Promise<void> {
  return withClient(options, async (client) => {
    const keys = await readPages(limit, async (pageToken, pageSize) => {
      const page = await client.call(method.listLimitKeys, { name, pageToken, pageSize });
      return { lines: page.keys, next: page.nextPageToken };
    });
    if (options.output === "json") printJson({ keys: keys.map((key) => toPrintable(LimitKeySchema, key)) });
    else toStdout`${formatKeys(keys)}`;
  });
}

function listSlots(
  name: string,
  { limit, key, state, ...options }: ListOptions & { readonly key?: string; readonly state?: keyof typeof STATES },
): Promise<void> {
  return withClient(options, async (client) => {
    const slots = await readPages(limit, async (pageToken, pageSize) => {
      const query = { ...keyOf(key), ...(state === undefined ? {} : { state: STATES[state] }) };
      const page = await client.call(method.listLimitSlots, { name, ...query, pageToken, pageSize });
      return { lines: page.slots, next: page.nextPageToken };
    });
    if (options.output === "json") printJson({ slots: slots.map((slot) => toPrintable(LimitSlotSchema, slot)) });
    else toStdout`${formatSlots(slots)}`;
  });
}

function show(options: Options, ask: (client: ApiClient) => Promise<Limit | undefined>): Promise<void> {
  return withClient(options, async (client) => {
    const limit = await ask(client);
    if (limit === undefined) return;
    if (options.output === "json") printJson(toPrintable(LimitSchema, limit));
    else printLimit(limit);
  });
}

function printLimit(limit: Limit): void {
  toStdout`${formatLimits([limit])}`;
  for (const line of detailsOf(limit)) toStdout`${line}\n`;
}

const STATES = {
  waiting: LimitSlotState.WAITING,
  granted: LimitSlotState.GRANTED,
  taken: LimitSlotState.TAKEN,
} as const;

function formatLimits(limits: readonly Limit[], now = Date.now()): Shown {
  const rows = limits.map(({ name, declaration, pause, pausedKeyCount, waitingCount, heldCount, oldestTime }) => [
    name,
    pause === undefined ? (pausedKeyCount === 0 ? "OPEN" : "KEYS PAUSED") : "PAUSED",
    declaration === undefined ? "by flows" : boundsOf(declaration),
    String(heldCount),
    String(waitingCount),
    ageOf(oldestTime, now),
  ]);
  return formatTable(["LIMIT", "STATE", "BOUNDS", "HELD", "WAITING", "OLDEST"], rows);
}

function formatKeys(keys: readonly LimitKey[], now = Date.now()): Shown {
  const rows = keys.map(({ key, pause, waitingCount, heldCount, oldestTime }) => [
    JSON.stringify(key),
    String(heldCount),
    String(waitingCount),
    ageOf(oldestTime, now),
    pause === undefined ? "" : `paused ${describePause(pause)}`,
  ]);
  return formatTable(["KEY", "HELD", "WAITING", "OLDEST", "PAUSE"], rows);
}

function formatSlots(slots: readonly LimitSlot[], now = Date.now()): Shown {
  const rows = slots.map(({ key, state, position, sinceTime, priority, runId, taskId }) => [
    JSON.stringify(key),
    nameOf(LimitSlotStateSchema, state),
    position === undefined ? "" : String(position),
    ageOf(sinceTime, now),
    String(priority),
    runId,
    taskId,
  ]);
  return formatTable(["KEY", "STATE", "POSITION", "SINCE", "PRIORITY", "RUN", "TASK"], rows);
}

function ageOf(time: LimitSlot["sinceTime"], now: number): string {
  return time === undefined ? "" : formatAge(now - fromTimestamp(time));
}

function boundsOf({ maxConcurrent, rate }: LimitDeclaration): string {
  return [
    ...(maxConcurrent === undefined ? [] : [`${maxConcurrent} at once`]),
    ...(rate?.per === undefined ? [] : [`${rate.count} may begin per ${formatDuration(fromDuration(rate.per))}`]),
  ].join(", ");
}

function detailsOf({ declaration, pause, pausedKeyCount, name }: Limit): readonly string[] {
  return [
    ...(declaration === undefined
      ? []
      : [`declared ${describe(declaration.updateTime, declaration.actor, declaration.reason)}`]),
    ...(pause === undefined ? [] : [`paused ${describePause(pause)}`]),
    ...(pausedKeyCount === 0 ? [] : [`${pausedKeyCount} keys are paused: see limits keys ${name}`]),
  ];
}

function describePause({ actor, reason, sinceTime, untilTime, runId }: LimitPause): string {
  const by = runId === "" ? actor : `run ${runId}`;
  const until = untilTime === undefined ? "" : `until ${formatTime(untilTime)}, `;
  return `${until}${describe(sinceTime, by, reason)}`;
}

function describe(time: LimitPause["sinceTime"], by: string, reason: string): string {
  return `since ${formatTime(time)} by ${by === "" ? "somebody" : by}${reason === "" ? "" : `: ${reason}`}`;
}

function readBound(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("expected a whole number from 1 to 1000000");
  return Number(text);
}

function readRate(text: string): Rate {
  const [, count = "", per = ""] = /^([1-9]\d{0,6})\/(.+)$/.exec(text) ?? [];
  if (count === "" || !DURATION_PATTERN.test(per) || isZeroDuration(per))
    throw new InvalidArgumentError(`expected a count and a time, such as 100/1m; the time is ${DURATION_FORM}`);
  return { count: Number(count), perMs: parseDurationMs(per) };
}

function readUntil(text: string): number {
  const time = parseInstantMs(text);
  if (time === undefined) throw new InvalidArgumentError(`expected ${TIME_FORM}`);
  return time;
}
