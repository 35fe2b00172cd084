/** `orchestrator services`: what can be called by name. */
import { type Command, Option } from "commander";
import { fromDuration, toDuration } from "../../../api/mapping/time.ts";
import { formatDuration } from "../../../base/time/duration.ts";
import {
  GetServiceResponseSchema,
  type NamedService,
  NamedServiceSchema,
  NamedServiceSourceSchema,
  type ServiceEntry,
  type ServiceRegistry,
  ServiceRegistrySchema,
  ServiceRegistryStateSchema,
  ServiceRetry,
  ServiceRetrySchema,
  ToolService,
} from "../../../gen/orchestrator/v1/tool_service_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readDuration } from "../../input/read-amounts.ts";
import { readCount, readSize } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { type Shown, show, toStdout } from "../../terminal/output.ts";
import { formatTime, nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

interface ChangeOptions extends Options {
  readonly etag: string;
  readonly reason: string;
}

interface PutOptions extends ChangeOptions {
  readonly timeout?: number;
  readonly retry?: keyof typeof RETRIES;
  readonly breakerFailures?: number;
  readonly breakerOpen?: number;
  readonly breakerMaxOpen?: number;
  readonly maxConcurrent?: number;
  readonly maxQueued?: number;
  readonly healthPath: string;
  readonly limit: string;
}

const { method } = ToolService;

const RETRIES = {
  task: ServiceRetry.TASK,
  safe: ServiceRetry.SAFE,
  never: ServiceRetry.NEVER,
} as const;

export function defineServices(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const changing = (name: string, summary: string): Command =>
    leaf(name, summary)
      .argument("<service>", "name of the service")
      .option("--etag <etag>", "only if it is still the one with this etag", "")
      .option("--reason <text>", "why, for those who look at it", "");
  const length = (flags: string, text: string): Option => new Option(flags, text).argParser(readDuration);

  leaf("list", "list the services that can be called by name, and their registry").action(list);
  leaf("get", "show a service: the entry that calls use, and those that it hides")
    .alias("show")
    .argument("<service>", "name of the service")
    .action(showService);
  changing("put", "say where a service is and how it is called, or replace what was said before")
    .argument("<url>", "URL below which paths of tasks are")
    .addOption(length("--timeout <duration>", "longest time of one request"))
    .addOption(new Option("--retry <class>", "which failures may be retried").choices(Object.keys(RETRIES)))
    .addOption(new Option("--breaker-failures <count>", "failures in a row that open a breaker").argParser(readCount))
    .addOption(length("--breaker-open <duration>", "how long a breaker stays open at first"))
    .addOption(length("--breaker-max-open <duration>", "how long a breaker stays open at most"))
    .addOption(new Option("--max-concurrent <count>", "calls of one task under way at once").argParser(readCount))
    .addOption(new Option("--max-queued <count>", "calls of one task that wait for a slot").argParser(readSize))
    .option("--limit <limit>", "declared limit of which each call takes a slot", "")
    .option("--health-path <path>", "path below the URL that answers 2xx when the service works", "")
    .action(put);
  changing("delete", "remove what was put").action((name: string, { etag, reason, ...options }: ChangeOptions) =>
    withClient(options, async (client) => {
      const { wasPut } = await client.call(method.deleteService, { name, etag, changeReason: reason });
      if (options.output === "json") printJson({ name, wasPut });
      else toStdout`service ${name} ${wasPut ? "is deleted" : "was not put"}\n`;
    }),
  );
}

function list(options: Options): Promise<void> {
  return withClient(options, async (client) => {
    let registry: ServiceRegistry | undefined;
    const services = await readPages(Number.POSITIVE_INFINITY, async (pageToken, pageSize) => {
      const page = await client.call(method.listServices, { pageToken, pageSize });
      ({ registry } = page);
      return { lines: page.services, next: page.nextPageToken };
    });
    if (options.output === "json")
      return printJson({
        services: services.map((service) => toPrintable(NamedServiceSchema, service)),
        registry: registry === undefined ? null : toPrintable(ServiceRegistrySchema, registry),
      });
    toStdout`${formatServices(services)}`;
    if (registry !== undefined) toStdout`${formatRegistry(registry)}`;
  });
}

function showService(name: string, options: Options): Promise<void> {
  return withClient(options, async (client) => {
    const answer = await client.call(method.getService, { name });
    if (options.output === "json") return printJson(toPrintable(GetServiceResponseSchema, answer));
    const { service, hiddenServices } = answer;
    if (service === undefined) return;
    toStdout`${formatServices([service, ...hiddenServices])}`;
    for (const line of detailsOf(service)) toStdout`${line}\n`;
  });
}

function put(name: string, url: string, { etag, reason, ...options }: PutOptions): Promise<void> {
  const { timeout, retry, breakerFailures, breakerOpen, breakerMaxOpen, maxConcurrent, maxQueued } = options;
  return withClient(options, async (client) => {
    const entry = {
      ...{ url, healthPath: options.healthPath, limit: options.limit },
      ...(timeout === undefined ? {} : { timeout: toDuration(timeout) }),
      ...(retry === undefined ? {} : { retry: RETRIES[retry] }),
      ...(breakerFailures === undefined ? {} : { breakerFailures }),
      ...(breakerOpen === undefined ? {} : { breakerOpen: toDuration(breakerOpen) }),
      ...(breakerMaxOpen === undefined ? {} : { breakerMaxOpen: toDuration(breakerMaxOpen) }),
      ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
      ...(maxQueued === undefined ? {} : { maxQueued }),
    };
    const { service } = await client.call(method.putService, { name, entry, etag, changeReason: reason });
    if (service === undefined) return;
    if (options.output === "json") return printJson(toPrintable(NamedServiceSchema, service));
    toStdout`${formatServices([service])}`;
    for (const line of detailsOf(service)) toStdout`${line}\n`;
  });
}

function formatServices(services: readonly NamedService[]): Shown {
  const rows = services.map(({ name, url, source, hidden, reachable, lastCallTime }) => [
    ...[name, url, nameOf(NamedServiceSourceSchema, source)],
    ...[hidden ? "hidden" : reachable ? "yes" : "no", formatTime(lastCallTime)],
  ]);
  return formatTable(["SERVICE", "URL", "SOURCE", "REACHABLE", "LAST CALL"], rows);
}

function detailsOf({ entry, headerNames, etag, updateTime, actor, changeReason }: NamedService): readonly string[] {
  const why = changeReason === "" ? "" : `: ${changeReason}`;
  return [
    ...policyOf(entry),
    ...(headerNames.length === 0 ? [] : [`headers: ${headerNames.join(", ")}`]),
    ...(etag === ""
      ? []
      : [`put ${formatTime(updateTime)} by ${actor === "" ? "somebody" : actor}${why}; etag ${etag}`]),
  ];
}

function policyOf(entry: ServiceEntry | undefined): readonly string[] {
  if (entry === undefined) return [];
  const length = (duration: ServiceEntry["timeout"]) =>
    duration === undefined ? undefined : formatDuration(fromDuration(duration));
  const parts = {
    timeout: length(entry.timeout),
    retry: entry.retry === ServiceRetry.UNSPECIFIED ? undefined : nameOf(ServiceRetrySchema, entry.retry),
    "breaker failures": entry.breakerFailures,
    "breaker open": length(entry.breakerOpen),
    "breaker max open": length(entry.breakerMaxOpen),
    "max concurrent": entry.maxConcurrent,
    "max queued": entry.maxQueued,
    limit: entry.limit === "" ? undefined : entry.limit,
    "health path": entry.healthPath === "" ? undefined : entry.healthPath,
  };
  return Object.entries(parts).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
}

function formatRegistry({ url, state, syncTime, problem }: ServiceRegistry): Shown {
  const name = nameOf(ServiceRegistryStateSchema, state);
  const read = syncTime === undefined ? show`` : show`, read at ${formatTime(syncTime)}`;
  return show`registry ${url}: ${name}${read}${problem === "" ? "" : `; ${problem}`}\n`;
}
