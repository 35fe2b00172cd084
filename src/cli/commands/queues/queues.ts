/** `orchestrator queues`: what waits for workers, and stopping, draining, and limiting it. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import { fromDuration, fromTimestamp, toDuration } from "../../../api/mapping/time.ts";
import {
  DURATION_FORM,
  DURATION_PATTERN,
  formatDuration,
  isZeroDuration,
  parseDurationMs,
} from "../../../base/time/duration.ts";
import { type Queue, QueueSchema, type QueueStop } from "../../../gen/orchestrator/v1/queue_pb.ts";
import { QueueService } from "../../../gen/orchestrator/v1/queue_service_pb.ts";
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
import { type Shown, toStderr, toStdout } from "../../terminal/output.ts";
import { formatTime, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";
import { formatAge } from "../../terminal/terminal.ts";

type Options = ConnectOptions & OutputOptions;

interface LimitOptions extends Options {
  readonly maxLength?: number;
  readonly ttl?: number;
  readonly build?: readonly string[];
}

const { method } = QueueService;

export function defineQueues(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  const named = (name: string, summary: string): Command =>
    leaf(name, summary).addArgument(new CompletedArgument("<queue>", "name of the queue", "queue"));
  leaf("list", "list queues by name")
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action((options: Options & { readonly limit: number }) =>
      withClient(options, async (client) => {
        const queues = await readPages(options.limit, async (pageToken, pageSize) => {
          const page = await client.call(method.listQueues, { pageToken, pageSize });
          return { lines: page.queues, next: page.nextPageToken };
        });
        if (options.output === "json") printJson({ queues: queues.map((queue) => toPrintable(QueueSchema, queue)) });
        else toStdout`${formatQueues(queues)}`;
        warnOfSilence(queues);
      }),
    );
  named("get", "show a queue with its handlers").action((queue: string, options: Options) =>
    show(options, async (client) => (await client.call(method.getQueue, { queue })).queue),
  );
  for (const { name, summary, stop } of STOPS)
    named(name, summary)
      .option("--reason <text>", "why, for those who look at the queue", "")
      .action((queue: string, { reason, ...options }: Options & { readonly reason: string }) =>
        show(options, (client) => stop(client, { queue, reason })),
      );
  named("resume", "end a pause and a drain").action((queue: string, options: Options) =>
    show(options, async (client) => (await client.call(method.resumeQueue, { queue })).queue),
  );
  named("limit", "limit a queue: what is not named stays as it is")
    .addOption(new Option("--max-length <count>", "tasks that may wait; 0: any number").argParser(readLimit))
    .addOption(new Option("--ttl <duration>", "how long a task may wait, such as 30m; 0: forever").argParser(readTtl))
    .option("--build <id...>", "builds whose workers get tasks; an empty one: all")
    .action((queue: string, { maxLength, ttl, build, ...options }: LimitOptions) =>
      show(options, async (client) => {
        const limits = {
          ...(maxLength === undefined ? {} : { maxLength }),
          ...(ttl === undefined ? {} : { ttl: toDuration(ttl) }),
          ...(build === undefined ? {} : { buildPin: { buildIds: build.filter((id) => id !== "") } }),
        };
        return (await client.call(method.updateQueue, { queue, ...limits })).queue;
      }),
    );
}

const STOPS = [
  {
    name: "pause",
    summary: "hand nothing out any more; tasks at workers go on",
    stop: async (client: ApiClient, request: Stop) => (await client.call(method.pauseQueue, request)).queue,
  },
  {
    name: "drain",
    summary: "hand out what waits, and defer what becomes ready from now on",
    stop: async (client: ApiClient, request: Stop) => (await client.call(method.drainQueue, request)).queue,
  },
] as const;

interface Stop {
  readonly queue: string;
  readonly reason: string;
}

function show(options: Options, ask: (client: ApiClient) => Promise<Queue | undefined>): Promise<void> {
  return withClient(options, async (client) => {
    const queue = await ask(client);
    if (queue === undefined) return;
    if (options.output === "json") printJson(toPrintable(QueueSchema, queue));
    else {
      toStdout`${formatQueues([queue])}`;
      for (const line of detailsOf(queue)) toStdout`${line}\n`;
      if (queue.handlers.length > 0) toStdout`${formatHandlers(queue)}`;
    }
    warnOfSilence([queue]);
  });
}

function formatQueues(queues: readonly Queue[], now = Date.now()): Shown {
  const rows = queues.map((queue) => [
    queue.queue,
    stateOf(queue),
    String(queue.depth),
    queue.oldestTime === undefined ? "" : formatAge(now - fromTimestamp(queue.oldestTime)),
    queue.highestPriority === undefined ? "" : String(queue.highestPriority),
    String(queue.deferredCount),
    String(queue.heldCount),
    String(queue.workerCount),
    `${queue.freeSlotCount}/${queue.slotCount}`,
  ]);
  const headings = ["QUEUE", "STATE", "WAITING", "OLDEST", "PRIORITY", "DEFERRED", "HELD", "WORKERS", "FREE"];
  return formatTable(headings, rows);
}

function formatHandlers({ handlers }: Queue): Shown {
  const rows = handlers.map(({ handler, depth, deferredCount, heldCount, workerCount }) => [
    handler,
    ...[depth, deferredCount, heldCount, workerCount].map(String),
  ]);
  return formatTable(["HANDLER", "WAITING", "DEFERRED", "HELD", "WORKERS"], rows);
}

function stateOf({ pause, drain }: Queue): string {
  if (pause !== undefined) return drain === undefined ? "PAUSED" : "PAUSED, DRAINED";
  return drain === undefined ? "OPEN" : "DRAINED";
}

function detailsOf({ pause, drain, maxLength, ttl, buildIds }: Queue): readonly string[] {
  return [
    ...(pause === undefined ? [] : [`paused ${describeStop(pause)}`]),
    ...(drain === undefined ? [] : [`drained ${describeStop(drain)}`]),
    ...(maxLength === undefined ? [] : [`at most ${maxLength} tasks wait`]),
    ...(ttl === undefined ? [] : [`a task waits at most ${formatDuration(fromDuration(ttl))}`]),
    ...(buildIds.length === 0 ? [] : [`only builds ${buildIds.join(", ")} get tasks`]),
  ];
}

function describeStop({ actor, reason, sinceTime }: QueueStop): string {
  return `since ${formatTime(sinceTime)} by ${actor === "" ? "somebody" : actor}${reason === "" ? "" : `: ${reason}`}`;
}

function warnOfSilence(queues: readonly Queue[]): void {
  const silent = Math.max(0, ...queues.map((queue) => queue.silentInstanceCount));
  if (silent > 0) toStderr`warning: ${silent} instances did not answer; their workers are missing\n`;
}

function readLimit(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a whole number, 0 for no limit");
  return Number(text);
}

function readTtl(text: string): number {
  if (isZeroDuration(text)) return 0;
  if (!DURATION_PATTERN.test(text)) throw new InvalidArgumentError(`expected ${DURATION_FORM}, or 0 for no limit`);
  return parseDurationMs(text);
}
