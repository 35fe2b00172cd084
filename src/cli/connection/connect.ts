/** Options of commands that call a service, and the client for them. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../api/client/client.ts";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import { type ActorOptions, actorHeaders, actorOption } from "../actor.ts";
import { commandName, quoteWord } from "../command-context.ts";
import { CompletedOption } from "../completion/completed.ts";
import { type ChosenService, chooseService, DEFAULT_SERVER, type ServiceChoice, sourcesOf } from "./choose-service.ts";
import { stateHomeOption } from "./last-service.ts";

export type OutputForm = "table" | "json";

/** Options of commands that print results. */
export interface OutputOptions {
  readonly output: OutputForm;
}

export interface ConnectOptions extends ActorOptions, ServiceChoice {}

export function addOutputOption(command: Command): Command {
  return command.addOption(
    new Option("-o, --output <form>", "output format").choices(["table", "json"]).default("table"),
  );
}

export function addConfigHomeOption(command: Command): Command {
  return command.addOption(
    new Option("--config-home <folder>", "folder with orchestrator/profiles.yaml").env("XDG_CONFIG_HOME"),
  );
}

/** Adds the options that select the service. */
export function addConnectOptions(command: Command): Command {
  return addConfigHomeOption(
    command
      .addOption(
        new Option(
          "-s, --server <address>",
          `service to call (default: the profile in use, else the last local service, else ${DEFAULT_SERVER})`,
        ).env("ORCHESTRATOR_SERVER"),
      )
      .addOption(
        new CompletedOption("--profile <name>", "profile to take address and token from", "profile").env(
          "ORCHESTRATOR_PROFILE",
        ),
      )
      .addOption(new Option("--token <token>", "credential; prefer the variable").env("ORCHESTRATOR_TOKEN"))
      .addOption(actorOption())
      .addOption(stateHomeOption())
      .hook("preAction", (_, called) => {
        called.setOptionValue("sources", sourcesOf(called));
      }),
  );
}

/**
 * A further command for the same service, as users type it, with the flags of this call. Variables stay in effect and
 * are left out; so is the token, which is secret.
 */
export function nextCommand(words: string, called: Command): string {
  const flags = CONNECT_FLAGS.flatMap(([name, flag]) =>
    called.getOptionValueSource(name) === "cli" ? [flag, quoteWord(String(called.getOptionValue(name)))] : [],
  );
  return [commandName(), words, ...flags].join(" ");
}

const CONNECT_FLAGS = [
  ["server", "--server"],
  ["profile", "--profile"],
  ["configHome", "--config-home"],
  ["by", "--by"],
] as const;

/** Runs `work` with a client for the options, and closes the client. */
export async function withClient<T>(
  options: ConnectOptions,
  work: (client: ApiClient, address: string) => Promise<T>,
): Promise<T> {
  const service = await chooseService(options);
  const { openGrpcClient } = await import("../../api/client/grpc-client.ts");
  const client = openGrpcClient({ ...service, headers: actorHeaders(options) });
  try {
    return await work(client, service.address);
  } catch (error) {
    throw await explain(error, client, service);
  } finally {
    await client.close();
  }
}

/** Adds context to an error: what listens at the address, where the address comes from, which name is similar. */
async function explain(error: unknown, client: ApiClient, { address, origin }: ChosenService): Promise<unknown> {
  if (!isOrchestratorError(error)) return error;
  const isForeign = error.code === "CALL_REFUSED" || error.code === "DEADLINE_EXCEEDED";
  if (error.code !== "SERVICE_UNREACHABLE" && !isForeign) {
    const { addNearNames } = await import("../near-names.ts");
    await addNearNames(error, client);
    return error;
  }
  const { describeListener } = await import("../../service/describe-listener.ts");
  const found = await describeListener(address);
  // A slow service, or one that rejects in its own words, is still this service.
  if (isForeign && (found === null || /HTTP\/2/.test(found))) return error;
  const problem = [found ?? String(error.details.problem), ...(origin === "" ? [] : [`named by ${origin}`])].join("; ");
  return toError("SERVICE_UNREACHABLE", { address, problem }, { cause: error });
}
