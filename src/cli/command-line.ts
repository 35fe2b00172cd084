/**
 * The command line. Every command is a file in `commands/` that is loaded when its name is among the arguments, so
 * `--version` and `--help` load none.
 */
import { writeSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { type ErrorCode, isOrchestratorError } from "../base/errors.ts";
import { readVersion } from "../base/version.ts";
import { type CommandContext, commandName, type DefineCommand } from "./command-context.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { showLines, toStderr } from "./terminal/output.ts";
import { paint } from "./terminal/paint.ts";

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** For scripts only: not in the help or documentation. */
  readonly hidden?: true;
  load(): Promise<DefineCommand>;
}

/** All commands in the order of the help. */
const COMMANDS: readonly CommandEntry[] = [
  {
    name: "serve",
    summary: "run the service",
    load: async () => (await import("./commands/serve.ts")).defineServe,
  },
  {
    name: "run",
    summary: "register and run a flow, on a service or in this process",
    load: async () => (await import("./commands/run.ts")).defineRun,
  },
  {
    name: "flows",
    summary: "write, check, register, and show flows",
    load: async () => (await import("./commands/flows/flows.ts")).defineFlows,
  },
  {
    name: "runs",
    summary: "show, watch, and control runs",
    load: async () => (await import("./commands/runs.ts")).defineRuns,
  },
  {
    name: "operations",
    summary: "show, wait for, and cancel bulk jobs over runs",
    load: async () => (await import("./commands/operations.ts")).defineOperations,
  },
  {
    name: "approvals",
    summary: "show and decide approvals",
    load: async () => (await import("./commands/approvals.ts")).defineApprovals,
  },
  {
    name: "queues",
    summary: "show, pause, drain, and limit queues of worker tasks",
    load: async () => (await import("./commands/queues/queues.ts")).defineQueues,
  },
  {
    name: "limits",
    summary: "show, declare, and pause limits of tasks and runs",
    load: async () => (await import("./commands/limits/limits.ts")).defineLimits,
  },
  {
    name: "breakers",
    summary: "show and override the breakers and bulkheads of what tasks call",
    load: async () => (await import("./commands/breakers/breakers.ts")).defineBreakers,
  },
  {
    name: "switch",
    summary: "stop all calls of the tenant, a flow, a service, or a model, and let them go on",
    load: async () => (await import("./commands/breakers/switch.ts")).defineSwitch,
  },
  {
    name: "budgets",
    summary: "show, set, and raise what calls to models may cost, and show what they have cost",
    load: async () => (await import("./commands/budgets/budgets.ts")).defineBudgets,
  },
  {
    name: "gate",
    summary: "try a gate policy on texts",
    load: async () => (await import("./commands/gate/gate.ts")).defineGate,
  },
  {
    name: "workers",
    summary: "show and drain workers",
    load: async () => (await import("./commands/queues/workers.ts")).defineWorkers,
  },
  {
    name: "kafka",
    summary: "show rejected messages of topics, and read messages again",
    load: async () => (await import("./commands/messages/topics.ts")).defineKafka,
  },
  {
    name: "messages",
    summary: "show, redeliver, and drop messages that could not be delivered",
    load: async () => (await import("./commands/messages/messages.ts")).defineMessages,
  },
  {
    name: "triggers",
    summary: "apply, show, and pause triggers: what events start and signal",
    load: async () => (await import("./commands/triggers/triggers.ts")).defineTriggers,
  },
  {
    name: "services",
    summary: "show, put, and delete the services that are called by name",
    load: async () => (await import("./commands/routing/services.ts")).defineServices,
  },
  {
    name: "route",
    summary: "call a service by name, durably and with retries",
    load: async () => (await import("./commands/routing/route.ts")).defineRoute,
  },
  {
    name: "generate",
    summary: "have templates written, and approve them",
    load: async () => (await import("./commands/generations/generations.ts")).defineGenerations,
  },
  {
    name: "goals",
    summary: "submit, show, and follow goals",
    load: async () => (await import("./commands/goals/goals.ts")).defineGoals,
  },
  {
    name: "tasks",
    summary: "complete and fail tasks in the place of their workers",
    load: async () => (await import("./commands/tasks.ts")).defineTasks,
  },
  {
    name: "templates",
    summary: "show flow templates",
    load: async () => (await import("./commands/templates.ts")).defineTemplates,
  },
  {
    name: "health",
    summary: "check whether a service accepts calls",
    load: async () => (await import("./commands/health.ts")).defineHealth,
  },
  {
    name: "upgrade",
    summary: "show the releases on the database, and finalize an upgrade",
    load: async () => (await import("./commands/database/upgrade.ts")).defineUpgrade,
  },
  {
    name: "restore",
    summary: "after a restore of the database: show what may happen twice, and let the service go on",
    load: async () => (await import("./commands/database/restore.ts")).defineRestore,
  },
  {
    name: "migrate",
    summary: "show and migrate the schema of the database without serving",
    load: async () => (await import("./commands/database/migrate.ts")).defineMigrate,
  },
  {
    name: "admin",
    summary: "show and set the levels of logs while the service runs",
    load: async () => (await import("./commands/admin/admin.ts")).defineAdmin,
  },
  {
    name: "support",
    summary: "collect what helps others to help",
    load: async () => (await import("./commands/support/support.ts")).defineSupport,
  },
  {
    name: "profiles",
    summary: "manage addresses and tokens of services",
    load: async () => (await import("./commands/profiles.ts")).defineProfiles,
  },
  {
    name: "config",
    summary: "check and print the configuration of the service",
    load: async () => (await import("./commands/config.ts")).defineConfig,
  },
  {
    name: "completion",
    summary: "print a completion script for the shell",
    load: async () => (await import("./commands/completion.ts")).defineCompletion,
  },
  {
    name: "complete",
    summary: "print completions for a command line",
    hidden: true,
    load: async () => (await import("./commands/complete.ts")).defineComplete,
  },
];

/** Runs the command in the arguments and returns the exit code. Never throws: errors are printed to stderr. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", leaveWithoutOutput);
  let exitCode: number = EXIT.OK;
  const context: CommandContext = {
    exitWith: (code) => {
      exitCode = code;
    },
    describeProgram: describeCommandLine,
  };
  try {
    const program = await buildProgram(args, context);
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    printError(error);
    return exitCodeOf(error, args[0] === "serve" || args.includes("--local") || args.includes("--worker"));
  }
}

/** Ends the process when stdout or stderr accepts no more output. A closed pipe (`| head`) is not an error. */
function leaveWithoutOutput(error: NodeJS.ErrnoException): never {
  if (error.code === "EPIPE") process.exit(EXIT.OK);
  const why = error.code === "ENOSPC" ? "there is no space left where it goes" : (error.code ?? error.message);
  try {
    // Not through the stream, which may be the one that fails.
    writeSync(process.stderr.fd, `error: the output cannot be written: ${why}\n`);
  } catch {
    // The exit code still reports it.
  }
  process.exit(EXIT.OUTPUT_LOST);
}

/** The whole program with every command loaded, for documentation and completion. */
export function describeCommandLine(): Promise<Command> {
  return buildProgram([], { exitWith() {}, describeProgram: describeCommandLine }, true);
}

/** The program with the commands that `args` may refer to loaded, the others by name only; `everything` loads all. */
async function buildProgram(args: readonly string[], context: CommandContext, everything = false): Promise<Command> {
  const name = commandName();
  const program = new Command("orchestrator")
    .description("Run durable flows of tasks that call tools, behind one contract.")
    .version(readVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", afterHelp(name));
  const wantsHelp = args[0] === "help";
  for (const entry of COMMANDS) {
    if (everything && entry.hidden === true) continue;
    const command = program.command(entry.name, { hidden: entry.hidden === true }).description(entry.summary);
    command.helpOption("-h, --help", "print help");
    if (everything || wantsHelp || args.includes(entry.name)) (await entry.load())(command, context);
    else command.allowUnknownOption().allowExcessArguments();
  }
  hintAtHelp(program, name);
  return program;
}

/** What follows the list of commands. */
const afterHelp = (name: string): string => `
Get started:  ${name} serve     then:  ${name} flows init, ${name} run FLOW.yaml --watch
Exit codes:   0 done; 1 the run did not complete; 2 wrong use, input, flow, or configuration; 3 try again later;
              4 not there, there already, or in the wrong state; 5 the service did not start (docs/cli.md)`;

/** Wrong use of a command ends with the call that shows how it is used. */
function hintAtHelp(command: Command, path: string): void {
  const shows = command.commands.length > 0 ? "lists the commands" : "shows how it is used";
  command.showHelpAfterError(`(${path} --help ${shows})`);
  for (const child of command.commands) hintAtHelp(child, `${path} ${child.name()}`);
}

/**
 * What the violations of a code belong to. Their message repeats the first violation, so it is not printed above the
 * list.
 */
const LISTED: Partial<Record<ErrorCode, string>> = { FLOW_INVALID: "the flow", CONFIG_INVALID: "the configuration" };

/** Prints an error to stderr: its message and a line for each violation; the stack only for bugs. */
function printError(error: unknown): void {
  const { stderr } = process;
  if (!isOrchestratorError(error)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    toStderr`${paint("red", "internal error:", stderr)} ${showLines(text)}\n`;
    return;
  }
  const { code, message, violations } = error;
  const what = LISTED[code];
  const isList = violations.length > (what === undefined ? 1 : 0);
  const count = violations.length === 1 ? "a problem" : `${violations.length} problems`;
  const sentence = isList && what !== undefined ? `${what} has ${count}` : message;
  toStderr`${paint("red", "error:", stderr)} ${sentence}\n`;
  if (!isList) return;
  for (const { field, description, line, column } of violations) {
    const place = line === undefined ? "" : `line ${line}${column === undefined ? "" : `:${column}`} `;
    toStderr`  ${paint("dim", `${place}${field}`, stderr)}  ${description}\n`;
  }
}
