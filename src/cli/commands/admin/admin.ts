/** `orchestrator admin`: what is asked of the processes themselves. */
import { Argument, type Command, Option } from "commander";
import { fromTimestamp, toDuration } from "../../../api/mapping/time.ts";
import {
  AdminService,
  type InstanceLogLevels,
  InstanceLogLevelsSchema,
} from "../../../gen/orchestrator/v1/admin_service_pb.ts";
import { LogLevel, LogLevelSchema } from "../../../gen/orchestrator/v1/run_event_pb.ts";
import type { CommandContext } from "../../command-context.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readFor } from "../../input/read-for.ts";
import { type Shown, toStderr, toStdout } from "../../terminal/output.ts";
import { nameOf, printJson, toPrintable } from "../../terminal/print.ts";
import { formatTable } from "../../terminal/table.ts";
import { formatAge } from "../../terminal/terminal.ts";

type Options = ConnectOptions & OutputOptions;

interface LevelOptions extends Options {
  readonly component: string;
  readonly for?: number;
  readonly instance: string;
  readonly reason: string;
}

/** What may be set; `configured` ends what was set. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warn: LogLevel.WARN,
  error: LogLevel.ERROR,
  configured: LogLevel.UNSPECIFIED,
};

const { method } = AdminService;

export function defineAdmin(command: Command, _context: CommandContext): void {
  addOutputOption(
    addConnectOptions(
      command
        .command("log-level")
        .description("show the levels of the logs of all instances, or set one for a time")
        .addArgument(new Argument("[level]", "the lowest level that is logged").choices(Object.keys(LEVELS)))
        .option("--component <name>", "of this part of the service only, such as engine or kafka", "")
        .addOption(new Option("--for <duration>", "for how long (default: 15m, at most 24h)").argParser(readFor))
        .option("--instance <id>", "at this instance only", "")
        .option("--reason <text>", "why, for the log", ""),
    ),
  ).action((level: string | undefined, options: LevelOptions) =>
    withClient(options, async (client) => {
      const { instances, silentInstanceCount } =
        level === undefined
          ? await client.call(method.getLogLevels, {})
          : await client.call(method.setLogLevel, {
              level: LEVELS[level] ?? LogLevel.UNSPECIFIED,
              component: options.component,
              ...(options.for === undefined ? {} : { duration: toDuration(options.for) }),
              instanceId: options.instance,
              reason: options.reason,
            });
      if (options.output === "json")
        printJson({ instances: instances.map((one) => toPrintable(InstanceLogLevelsSchema, one)) });
      else toStdout`${formatLevels(instances)}`;
      if (silentInstanceCount > 0) toStderr`warning: ${silentInstanceCount} instances did not answer\n`;
    }),
  );
}

function formatLevels(instances: readonly InstanceLogLevels[], now = Date.now()): Shown {
  const rows = instances.flatMap(({ instanceId, configuredLevel, overrides }) => [
    [instanceId, "configured", levelOf(configuredLevel), "", "", ""],
    ...overrides.map(({ component, level, expireTime, actor, reason }) => [
      instanceId,
      component === "" ? "all" : component,
      levelOf(level),
      expireTime === undefined ? "" : formatAge(Math.max(0, fromTimestamp(expireTime) - now)),
      actor,
      reason,
    ]),
  ]);
  return formatTable(["INSTANCE", "COMPONENT", "LEVEL", "ENDS IN", "BY", "REASON"], rows);
}

function levelOf(level: LogLevel): string {
  return nameOf(LogLevelSchema, level).toLowerCase();
}
