/** `orchestrator profiles`: manages names for services. */
import type { Command } from "commander";
import { readAddress } from "../../api/client/address.ts";
import type { CommandContext } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import { addConfigHomeOption, addOutputOption, type OutputOptions } from "../connection/connect.ts";
import { checkProfileName, findProfile, profilePath, readProfiles, writeProfiles } from "../connection/profiles.ts";
import { readText } from "../input/text-sources.ts";
import { toStdout } from "../terminal/output.ts";
import { printJson } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";

interface HomeOptions {
  readonly configHome?: string;
}

export function defineProfiles(command: Command, _context: CommandContext): void {
  const list = command
    .command("list")
    .description("list profiles; tokens are not shown")
    .action(async (options: HomeOptions & OutputOptions) => {
      const { current, profiles } = await readProfiles(profilePath(options.configHome));
      const lines = Object.entries(profiles).map(([name, { server, token }]) => ({
        name,
        server,
        token: token !== undefined,
        current: name === current,
      }));
      if (options.output === "json") return printJson({ profiles: lines });
      const rows = lines.map((line) => [line.current ? "*" : "", line.name, line.server, line.token ? "yes" : ""]);
      toStdout`${formatTable(["", "PROFILE", "SERVER", "TOKEN"], rows)}`;
    });
  const set = command
    .command("set")
    .description("add or change a profile; the first one becomes the current profile")
    .addArgument(new CompletedArgument("<name>", "name of the profile", "profile"))
    .argument("<server>", "address: host:port, http://…, or https://…")
    .option("--token-file <file>", "file with the token; - is standard input")
    .action(async (name: string, server: string, options: HomeOptions & { readonly tokenFile?: string }) => {
      checkProfileName(name);
      readAddress(server);
      const path = profilePath(options.configHome);
      const file = await readProfiles(path);
      const token = options.tokenFile === undefined ? undefined : (await readText(options.tokenFile)).trim();
      const profile = { server, ...(token === undefined ? {} : { token }) };
      const current = file.current === "" ? name : file.current;
      await writeProfiles(path, { current, profiles: { ...file.profiles, [name]: profile } });
      toStdout`${name} is ${server}${current === name ? ", in use" : ""}\n`;
    });
  const use = command
    .command("use")
    .description("make a profile the current one")
    .addArgument(new CompletedArgument("<name>", "name of the profile", "profile"))
    .action(async (name: string, options: HomeOptions) => {
      const path = profilePath(options.configHome);
      const file = await readProfiles(path);
      findProfile(file, name);
      await writeProfiles(path, { ...file, current: name });
    });
  const remove = command
    .command("remove")
    .description("remove a profile")
    .addArgument(new CompletedArgument("<name>", "name of the profile", "profile"))
    .action(async (name: string, options: HomeOptions) => {
      const path = profilePath(options.configHome);
      const file = await readProfiles(path);
      findProfile(file, name);
      const { [name]: _removed, ...profiles } = file.profiles;
      await writeProfiles(path, { current: file.current === name ? "" : file.current, profiles });
    });
  addOutputOption(list);
  for (const one of [list, set, use, remove]) addConfigHomeOption(one);
}
