/** `orchestrator workers`: who takes tasks, at all instances. */
import { type Command, Option } from "commander";
import { fromTimestamp } from "../../../api/mapping/time.ts";
import { type Worker, WorkerSchema } from "../../../gen/orchestrator/v1/worker_pb.ts";
import { WorkerService } from "../../../gen/orchestrator/v1/worker_service_pb.ts";
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
import { type Shown, toStderr, toStdout } from "../../terminal/output.ts";
import { printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";
import { formatAge } from "../../terminal/terminal.ts";

type Options = ConnectOptions & OutputOptions;

const { method } = WorkerService;

export function defineWorkers(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command =>
    addOutputOption(addConnectOptions(command.command(name).description(summary)));
  leaf("list", "list connected workers by name")
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action((options: Options & { readonly limit: number }) =>
      withClient(options, async (client) => {
        let silent = 0;
        const workers = await readPages(options.limit, async (pageToken, pageSize) => {
          const page = await client.call(method.listWorkers, { pageToken, pageSize });
          silent = Math.max(silent, page.silentInstanceCount);
          return { lines: page.workers, next: page.nextPageToken };
        });
        if (options.output === "json")
          printJson({ workers: workers.map((worker) => toPrintable(WorkerSchema, worker)) });
        else toStdout`${formatWorkers(workers)}`;
        if (silent > 0) toStderr`warning: ${silent} instances did not answer; their workers are missing\n`;
      }),
    );
  leaf("drain", "hand a worker no more tasks; it finishes what it holds")
    .argument("<worker>", "id of the worker")
    .option("--reason <text>", "why, for the worker and those who look", "")
    .action((workerId: string, { reason, ...options }: Options & { readonly reason: string }) =>
      withClient(options, async (client) => {
        const { worker } = await client.call(method.drainWorker, { workerId, reason });
        if (worker === undefined) return;
        if (options.output === "json") printJson(toPrintable(WorkerSchema, worker));
        else toStdout`${formatWorkers([worker])}`;
      }),
    );
}

function formatWorkers(workers: readonly Worker[], now = Date.now()): Shown {
  const rows = workers.map((worker) => [
    worker.workerId,
    worker.name,
    worker.drain === undefined ? "OPEN" : "DRAINED",
    `${worker.freeSlotCount}/${worker.slotCount}`,
    String(worker.heldCount),
    worker.holdings[0]?.sinceTime === undefined ? "" : formatAge(now - fromTimestamp(worker.holdings[0].sinceTime)),
    worker.lastSeenTime === undefined ? "" : formatAge(now - fromTimestamp(worker.lastSeenTime)),
    worker.queues.join(", "),
    worker.handlers.join(", "),
    Object.entries(worker.labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(", "),
    worker.buildId,
    worker.sdk,
  ]);
  const headings = ["WORKER", "NAME", "STATE", "FREE", "HOLDS", "LONGEST", "HEARD"];
  return formatTable([...headings, "QUEUES", "HANDLERS", "LABELS", "BUILD", "SDK"], rows);
}
