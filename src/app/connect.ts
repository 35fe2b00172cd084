/** Options that every command has which calls a service, and the client that they lead to. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../api/client.ts";
import { type ActorOptions, actorHeaders, actorOption } from "./actor.ts";
import { commandName, quoteWord } from "./command-context.ts";
import { findProfile, profilePath, readProfiles } from "./profiles.ts";

/** Where the service is when nobody says. */
const DEFAULT_SERVER = "127.0.0.1:8002";

/** How results are printed. */
export type OutputForm = "table" | "json";

/** Options of commands that print. */
export interface OutputOptions {
  readonly output: OutputForm;
}

/** Options of commands that call a service. */
export interface ConnectOptions extends ActorOptions {
  readonly server?: string;
  readonly profile?: string;
  readonly token?: string;
  readonly configHome?: string;
}

/** Adds `--output`. */
export function addOutputOption(command: Command): Command {
  return command.addOption(
    new Option("-o, --output <form>", "how results are printed").choices(["table", "json"]).default("table"),
  );
}

/** Adds the folder of profiles. */
export function addConfigHomeOption(command: Command): Command {
  return command.addOption(
    new Option("--config-home <folder>", "folder with orchestrator/profiles.yaml").env("XDG_CONFIG_HOME"),
  );
}

/** Adds the options that say which service is called. */
export function addConnectOptions(command: Command): Command {
  return addConfigHomeOption(
    command
      .addOption(
        new Option("-s, --server <address>", `service to call (default: ${DEFAULT_SERVER})`).env("ORCHESTRATOR_SERVER"),
      )
      .addOption(new Option("--profile <name>", "profile to take address and token from").env("ORCHESTRATOR_PROFILE"))
      .addOption(new Option("--token <token>", "credential; better set as variable").env("ORCHESTRATOR_TOKEN"))
      .addOption(actorOption()),
  );
}

/**
 * A further command that reaches the same service, as it can be typed: the flags that this one was called with go along. Variables are left out, for they stay,
 * and the token, for it is nobody else's.
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

/** The service that the options name: `--server`, else the profile, else the default. A token is never sent to another address than the one it was given with. */
async function resolveServer(options: ConnectOptions): Promise<{ readonly address: string; readonly token?: string }> {
  const { server, token } = options;
  // An empty variable counts as absent.
  if (server !== undefined && server !== "") return { address: server, ...(token === undefined ? {} : { token }) };
  const file = await readProfiles(profilePath(options.configHome));
  const name = options.profile ?? file.current;
  if (name === "") return { address: DEFAULT_SERVER, ...(token === undefined ? {} : { token }) };
  const profile = findProfile(file, name);
  const credential = token ?? profile.token;
  return { address: profile.server, ...(credential === undefined ? {} : { token: credential }) };
}

/** Runs `work` with a client of the service that the options name, and closes the client. */
export async function withClient<T>(
  options: ConnectOptions,
  work: (client: ApiClient, address: string) => Promise<T>,
): Promise<T> {
  const target = await resolveServer(options);
  const { openGrpcClient } = await import("../api/grpc/client.ts");
  const client = openGrpcClient({ ...target, headers: actorHeaders(options) });
  try {
    return await work(client, target.address);
  } finally {
    await client.close();
  }
}
