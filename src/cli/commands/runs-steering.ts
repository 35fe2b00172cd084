/**
 * `orchestrator runs cancel, terminate, resume, delete`: one run with a call; several runs or all that match a filter
 * with an operation, which continues without this command and across restarts of the service.
 */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../api/client/client.ts";
import { fail } from "../../base/errors.ts";
import { OperationAction } from "../../gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../gen/orchestrator/v1/operation_service_pb.ts";
import { HoldKind, type Run, RunSchema, RunSummarySchema } from "../../gen/orchestrator/v1/run_pb.ts";
import { DeleteRunResponseSchema, RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CommandContext, Leaf } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import { type ConnectOptions, type OutputOptions, withClient } from "../connection/connect.ts";
import { endOfOperation, followOperation } from "../follow-operation.ts";
import { addFilterOptions, type FilterOptions, toFilter } from "../input/run-filter-options.ts";
import { toStderr, toStdout } from "../terminal/output.ts";
import { formatRuns, printJson, runState, toPrintable } from "../terminal/print.ts";

/** Most runs in a preview. */
const SHOWN = 50;

const HOLD_KINDS = {
  operator: HoldKind.OPERATOR,
  budget: HoldKind.BUDGET,
  limit: HoldKind.LIMIT,
  quarantine: HoldKind.QUARANTINE,
} as const;

interface SteeringOptions extends ConnectOptions, OutputOptions, FilterOptions {
  readonly reason?: string;
  readonly compensate?: true;
  readonly hold?: readonly (keyof typeof HOLD_KINDS)[];
  readonly yes?: true;
}

/** One of the commands. */
interface Steering {
  readonly name: string;
  readonly summary: string;
  /** For the preview. */
  readonly verb: string;
  readonly action: OperationAction;
  /** Changes one run and prints the result. */
  readonly one: (client: ApiClient, runId: string, options: SteeringOptions) => Promise<void>;
}

const requestId = (): string => crypto.randomUUID();

const STEERINGS: readonly Steering[] = [
  {
    name: "cancel",
    summary: "cancel runs: one, several, or all that match a filter; running attempts may finish",
    verb: "cancel",
    action: OperationAction.CANCEL,
    one: async (client, runId, options) => {
      const { reason = "", compensate = false } = options;
      const request = { runId, reason, compensate, requestId: requestId() };
      printRun((await client.call(RunService.method.cancelRun, request)).run, options);
    },
  },
  {
    name: "terminate",
    summary: "end runs immediately, without compensation: one, several, or all that match a filter",
    verb: "terminate",
    action: OperationAction.TERMINATE,
    one: async (client, runId, options) => {
      const request = { runId, reason: options.reason ?? "", requestId: requestId() };
      printRun((await client.call(RunService.method.terminateRun, request)).run, options);
    },
  },
  {
    name: "resume",
    summary: "resume paused or held runs: one, several, or all that match a filter",
    verb: "resume",
    action: OperationAction.RESUME,
    one: async (client, runId, options) => {
      const holdKinds = holdsOf(options);
      const request = { runId, reason: options.reason ?? "", holdKinds, requestId: requestId() };
      printRun((await client.call(RunService.method.resumeRun, request)).run, options);
    },
  },
  {
    name: "delete",
    summary: "erase runs that have ended: one, several, or all that match a filter; their ids stay taken",
    verb: "delete",
    action: OperationAction.DELETE,
    one: async (client, runId, { output }) => {
      const deleted = await client.call(RunService.method.deleteRun, { runId, requestId: requestId() });
      if (output === "json") printJson(toPrintable(DeleteRunResponseSchema, deleted));
      else toStdout`${deleted.runId} is deleted\n`;
    },
  },
];

export function defineSteering(leaf: Leaf, context: CommandContext): void {
  for (const steering of STEERINGS) addOptions(steering, defineOne(leaf, context, steering));
}

function defineOne(leaf: Leaf, context: CommandContext, steering: Steering): Command {
  const { name, summary, verb, action, one } = steering;
  return addFilterOptions(leaf(name, summary))
    .addArgument(new CompletedArgument("[runs...]", "ids of the runs", "run"))
    .option("-y, --yes", `${verb} the runs that match the filter; without it they are only listed`)
    .action((runIds: readonly string[], options: SteeringOptions) =>
      withClient(options, async (client) => {
        const filter = toFilter(options);
        checkChoice(runIds, filter);
        const [only] = runIds;
        if (runIds.length === 1 && only !== undefined) return one(client, only, options);
        if (filter !== "" && options.yes !== true) return preview(client, filter, verb, options);
        const { reason = "", compensate = false } = options;
        const holdKinds = holdsOf(options);
        const request = { action, filter, runIds: [...runIds], reason, compensate, holdKinds, requestId: requestId() };
        const { operation } = await client.call(OperationService.method.startOperation, request);
        if (operation === undefined) return;
        context.exitWith(endOfOperation(await followOperation(client, operation), options));
      }),
    );
}

function addOptions({ name }: Steering, command: Command): void {
  if (name !== "delete") command.option("--reason <text>", "why, stored in the journal", "");
  if (name === "cancel") command.option("--compensate", "undo the effects of their tasks");
  if (name === "resume")
    command.addOption(
      new Option("--hold <kind...>", "holds to release (default: the operator's)").choices(Object.keys(HOLD_KINDS)),
    );
}

function holdsOf({ hold = [] }: SteeringOptions): HoldKind[] {
  return hold.map((kind) => HOLD_KINDS[kind]);
}

function checkChoice(runIds: readonly string[], filter: string): void {
  if (runIds.length > 0 !== (filter !== "")) return;
  const problem =
    runIds.length > 0
      ? "name runs or use a filter, not both"
      : "name runs, or select them with --filter, --state, --flow, or --label";
  fail("INVALID_REQUEST", { problem, field: "runs" });
}

async function preview(client: ApiClient, filter: string, verb: string, { output }: OutputOptions): Promise<void> {
  const { count } = await client.call(RunService.method.countRuns, { filter });
  const { runs } = await client.call(RunService.method.listRuns, { filter, pageSize: SHOWN });
  if (output === "json") printJson({ runs: runs.map((run) => toPrintable(RunSummarySchema, run)) });
  else toStdout`${formatRuns(runs)}`;
  const shown = runs.length < Number(count) ? `, the newest ${runs.length} of them shown` : "";
  toStderr`nothing was changed: ${count} run(s) match${shown}; add --yes to ${verb} them\n`;
}

/** Prints a changed run. */
export function printRun(run: Run | undefined, { output }: OutputOptions): void {
  if (run === undefined) return;
  if (output === "json") printJson(toPrintable(RunSchema, run));
  else toStdout`${run.runId} is ${runState(run)}\n`;
}
