/** `orchestrator serve`: runs the service until it is stopped. */
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Secrets } from "../../base/secrets/secrets.ts";
import { readVersion } from "../../base/version.ts";
import { type LoadedConfig, loadConfig, openSecrets } from "../../config/config.ts";
import { withInstanceId } from "../../service/instance-id.ts";
import { type Address, type Service, startService } from "../../service/serve.ts";
import { type Logger, openLogger } from "../../telemetry/log/logger.ts";
import { type CommandContext, commandName } from "../command-context.ts";
import { rememberService, stateHomeOption } from "../connection/last-service.ts";
import { EXIT } from "../exit-codes.ts";
import { addSettingOptions } from "../input/setting-options.ts";
import { joinShown, type Shown, show, toStdout } from "../terminal/output.ts";
import { paint } from "../terminal/paint.ts";

export function defineServe(command: Command, context: CommandContext): void {
  addSettingOptions(command);
  command
    .addOption(stateHomeOption())
    .addHelpText(
      "after",
      "\nFlags override variables, and variables override the file. docs/config.md explains every setting.",
    )
    .action(async ({ stateHome, ...flags }: Readonly<Record<string, unknown>>) => {
      const loaded = withInstanceId(await loadConfig({ flags }));
      const { config } = loaded;
      const secrets = openSecrets(config);
      const fields = { service: "orchestrator", instanceId: config.engine.instanceId };
      const log = await openLogger({ ...config.log, fields, redact: secrets.redact });
      for (const warning of loaded.warnings) log.warn(warning);
      logWarnings(log);
      dieInGoodOrder(log);
      const service = await startUnlessStopped(loaded, secrets, log);
      if (service === null) return context.exitWith(EXIT.OK);
      const onSignal = stopOrLeave(service, log);
      process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
      const { address } = service;
      const forget = rememberService(stateHome as string | undefined, localAddress(address));
      log.info("serving", { ...address });
      if (isForPeople(loaded)) toStdout`${renderBanner(loaded, service)}`;
      await service.stopped;
      forget();
      log.flush();
      context.exitWith(EXIT.OK);
    });
}

/** Starts the service. If a signal arrives during the start, stops the service once it is up and returns null. */
async function startUnlessStopped(loaded: LoadedConfig, secrets: Secrets, log: Logger): Promise<Service | null> {
  let isUnwanted = false;
  const refuse = (): void => {
    isUnwanted = true;
  };
  process.on("SIGTERM", refuse).on("SIGINT", refuse);
  try {
    const service = await startService(loaded, log, { watchdog: true, secrets, logger: log });
    if (!isUnwanted) return service;
    service.stop();
    await service.stopped;
    return null;
  } finally {
    process.off("SIGTERM", refuse).off("SIGINT", refuse);
    log.flush();
  }
}

/**
 * Handles signals: the first one stops gracefully, the second one exits at once. Durable state is safe, and the next
 * start continues the rest.
 */
function stopOrLeave(service: Service, log: Logger): (signal: NodeJS.Signals) => void {
  let signals = 0;
  return (signal) => {
    signals++;
    if (signals > 1) {
      log.warn("stopped immediately after a second signal");
      log.flush();
      process.exit(signal === "SIGINT" ? EXIT.INTERRUPTED : EXIT.TERMINATED);
    }
    service.stop();
  };
}

/** Logs an uncaught error and ends the process; the next start continues every run. */
function dieInGoodOrder(log: Logger): void {
  const die = (error: unknown): void => {
    log.error("the service stops because of a bug", { error });
    log.flush();
    process.exit(EXIT.INTERNAL);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}

/** Warnings of Node and of libraries are lines of the log: others on standard error would break it for its readers. */
function logWarnings(log: Logger): void {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => log.warn("the runtime warns", { warning: name, reason: message }));
}

function isForPeople({ config }: LoadedConfig): boolean {
  return config.log.format === "pretty" || (config.log.format === "auto" && process.stdout.isTTY === true);
}

/** Addresses of the service and the next command to type. */
function renderBanner({ config, file }: LoadedConfig, { address, metricsAddress, core }: Service): Shown {
  const name = commandName();
  const server = address.port === 8_002 ? "" : ` --server ${localAddress(address)}`;
  const lines = [
    ["address", `${urlOf(address)}  gRPC, gRPC-Web, Connect, and REST`],
    ["store", core.store],
    ...(config.store.databaseUrl === undefined ? [["folder", resolve(config.store.dataDir)]] : []),
    ["metrics", metricsAddress === null ? "none" : `${urlOf(metricsAddress)}/metrics`],
    ...(file === undefined ? [] : [["settings", file]]),
    ["next", `in another terminal:  ${name} flows init hello.yaml && ${name} run hello.yaml --watch${server}`],
    ["stop", "Ctrl-C"],
  ];
  const text = joinShown(lines.map(([label = "", value = ""]) => show`  ${paint("dim", label.padEnd(9))}${value}\n`));
  return show`\n${paint("bold", `Orchestrator ${readVersion()}`)}\n${text}\n`;
}

/** The address for commands on this machine. */
function localAddress({ host, port }: Address): string {
  const named = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `${named.includes(":") ? `[${named}]` : named}:${port}`;
}

function urlOf({ host, port }: Address): string {
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}
