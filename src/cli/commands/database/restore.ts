/** `orchestrator restore`: what follows a restore of the database from a backup. */
import type { Command } from "commander";
import { formatRfc3339 } from "../../../base/time/rfc3339.ts";
import { type LoadedConfig, loadConfig } from "../../../config/config.ts";
import { type RestoredDatabase, type TaskUnderWay, withRestoredDatabase } from "../../../service/restore.ts";
import { type ActorOptions, actorOf, actorOption } from "../../actor.ts";
import type { CommandContext } from "../../command-context.ts";
import { addSettingOptions } from "../../input/setting-options.ts";
import { formatCsv } from "../../terminal/csv.ts";
import { toStdout } from "../../terminal/output.ts";
import { openOfflineLog } from "./offline-log.ts";

type Flags = Readonly<Record<string, unknown>>;

const COLUMNS = [
  "run_id",
  "tenant_id",
  "flow_id",
  "task",
  "state",
  "attempt",
  "started_at",
  "handed_to",
  "idempotency_key",
  "problem",
] as const;

export function defineRestore(command: Command, _context: CommandContext): void {
  const leaf = (name: string, summary: string): Command => {
    const made = command.command(name).description(summary);
    addSettingOptions(made);
    return made;
  };
  leaf("report", "show what was under way at the backup and may happen again; call it before finish")
    .option("--csv", "print each task that was under way, as CSV", false)
    .action(async ({ csv, ...flags }: Flags) => {
      await onDatabase(await loadConfig({ flags }), csv === true ? printTasks : printReport);
    });
  leaf("finish", "let the service use the restored database; every instance must be stopped")
    .addOption(actorOption())
    .action(async ({ by, ...flags }: Flags) => {
      const actor = actorOf({ by } as ActorOptions);
      const told = await onDatabase(await loadConfig({ flags }), (database) => database.finish(actor));
      toStdout`finished     ${told} (open runs that go on; start the service)\n`;
    });
}

async function printReport(database: RestoredDatabase): Promise<void> {
  const { aliveAt, openRuns, dueRuns, outbox, offsets } = await database.facts();
  const found = await database.tasksUnderWay();
  const unreadable = found.filter(({ task }) => task === "").length;
  const alive = aliveAt === null ? "no instance was running at the backup" : formatRfc3339(aliveAt);
  toStdout`backup       ${alive}\n`;
  toStdout`open runs    ${openRuns} (what each did after the backup may be done again)\n`;
  toStdout`under way    ${found.length - unreadable} (tasks that may be done twice; --csv lists them)\n`;
  if (unreadable > 0) toStdout`unreadable   ${unreadable} (runs of which nothing is known)\n`;
  toStdout`due          ${dueRuns} (runs with a timer that fires at once)\n`;
  toStdout`messages     ${outbox} (to be sent, some perhaps again)\n`;
  for (const { topic, partition, next } of offsets) toStdout`kafka        ${topic}/${partition} continues at ${next}\n`;
}

async function printTasks(database: RestoredDatabase): Promise<void> {
  toStdout`${formatCsv(COLUMNS, (await database.tasksUnderWay()).map(toCells))}`;
}

function toCells(task: TaskUnderWay): (string | number)[] {
  const { runId, tenantId, flowId, state, attempt, startedAt, handedTo, idempotencyKey, problem } = task;
  const started = startedAt === 0 ? "" : formatRfc3339(startedAt);
  return [runId, tenantId, flowId, task.task, state, attempt, started, handedTo, idempotencyKey, problem];
}

async function onDatabase<T>({ config }: LoadedConfig, work: (database: RestoredDatabase) => Promise<T>): Promise<T> {
  return withRestoredDatabase(config, await openOfflineLog(config), work);
}
