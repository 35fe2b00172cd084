/**
 * `orchestrator complete`: called by the completion scripts. Its arguments are the words after the program name, the
 * last one incomplete; it prints possible completions, one per line. Completion must not disturb the shell, so errors
 * are not printed and the exit code is 0.
 */
import type { Argument, Command, Option } from "commander";
import type { CommandContext } from "../command-context.ts";
import { kindsOf, type WordKind } from "../completion/completed.ts";
import { chooseService, type ServiceChoice, sourcesOf } from "../connection/choose-service.ts";
import { addConnectOptions } from "../connection/connect.ts";
import { profilePath, readProfiles } from "../connection/profiles.ts";
import { listWords, pickWords } from "../terminal/list-words.ts";
import { toStdout } from "../terminal/output.ts";

/** Timeout of the service, milliseconds. */
const PATIENCE_MS = 1_000;

/** When the process exits even if something, such as a name server, has not responded; milliseconds. */
const END_MS = 1_200;

export function defineComplete(command: Command, _context: CommandContext): void {
  // Users never type these options; they bring the service in the environment.
  addConnectOptions(command.argument("[words...]", "words of a command line")).action(
    async (words: readonly string[]) => {
      setTimeout(() => process.exit(0), END_MS).unref();
      const found = await complete(command, words).catch(() => {
        // An error message would end up in the line that the user types.
        return [];
      });
      for (const word of found) toStdout`${word}\n`;
    },
  );
}

async function complete(command: Command, words: readonly string[]): Promise<readonly string[]> {
  const place = readPlace(command.parent as Command, words);
  const kind = kindsOf(place.target).find((one) => one !== "file");
  if (kind === undefined) return [];
  const { called } = place;
  for (const [name, value] of Object.entries(called.opts()))
    if (called.getOptionValueSource(name) === "cli") command.setOptionValueWithSource(name, value, "cli");
  return listKind(kind, place, { ...command.opts<ServiceChoice>(), sources: sourcesOf(command) });
}

/** The word to complete. */
interface Place {
  readonly called: Command;
  /** The argument or option that it is the value of; absent if nothing can be here. */
  readonly target: Argument | Option | undefined;
  readonly prefix: string;
  /** Arguments before the word. */
  readonly before: readonly string[];
}

function readPlace(program: Command, words: readonly string[]): Place {
  let called = program;
  let typed = words.slice(0, -1);
  for (;;) {
    const child = called.commands.find((command) => command.name() === typed[0]);
    if (child === undefined) break;
    called = child;
    typed = typed.slice(1);
  }
  const word = words.at(-1) ?? "";
  const [, long, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  const named = long ?? typed.at(-1) ?? "";
  const option = called.options.find(
    (one) => (one.long === named || one.short === named) && (one.required || one.optional),
  );
  if (long === undefined && option !== undefined) typed = typed.slice(0, -1);
  // Parses the options into the command as a real call would.
  const { operands } = called.configureOutput({ writeErr() {} }).parseOptions([...typed]);
  const { registeredArguments: args } = called;
  const last = args.at(-1);
  const argument = args[operands.length] ?? (last?.variadic === true ? last : undefined);
  const target = option ?? (word.startsWith("-") ? undefined : argument);
  return { called, target, prefix: value ?? word, before: operands };
}

async function listKind(
  kind: Exclude<WordKind, "file">,
  { prefix, before }: Place,
  choice: ServiceChoice,
): Promise<readonly string[]> {
  if (kind === "profile") {
    const { profiles } = await readProfiles(profilePath(choice.configHome));
    return pickWords(Object.keys(profiles), prefix);
  }
  const service = await chooseService(choice);
  const { openGrpcClient } = await import("../../api/client/grpc-client.ts");
  const client = openGrpcClient(service);
  try {
    const options = { timeoutMs: PATIENCE_MS, signal: AbortSignal.timeout(PATIENCE_MS) };
    return await listWords(client, { kind, prefix, before }, options);
  } finally {
    await client.close();
  }
}
