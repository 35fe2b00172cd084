/** `orchestrator runs resume`: releases the holds of one run, of several, or of all that a filter finds. */
import { Option } from "commander";
import type { ApiClient } from "../../api/client/client.ts";
import { type ErrorCode, fail, isOrchestratorError } from "../../base/errors.ts";
import { HoldKind, type Run, RunSchema, type RunSummary, RunSummarySchema } from "../../gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CommandContext, Leaf } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import { type ConnectOptions, type OutputOptions, withClient } from "../connection/connect.ts";
import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { readPages } from "../input/read-pages.ts";
import { addFilterOptions, type FilterOptions, toFilter } from "../input/run-filter-options.ts";
import { formatRuns, printJson, runState, toPrintable } from "../terminal/print.ts";

/** Most runs that one call of the command resumes. */
const MAX_RUNS = 10_000;

/** Calls under way at the same time. */
const PARALLEL = 16;

const HOLD_KINDS = {
  operator: HoldKind.OPERATOR,
  budget: HoldKind.BUDGET,
  limit: HoldKind.LIMIT,
  quarantine: HoldKind.QUARANTINE,
} as const;

interface ResumeOptions extends ConnectOptions, OutputOptions, FilterOptions {
  readonly reason: string;
  readonly hold?: readonly string[];
  readonly yes?: true;
}

/** A run that was not resumed. */
interface Refused {
  readonly runId: string;
  readonly code: ErrorCode | "INTERNAL";
  readonly message: string;
  readonly exitCode: number;
}

/** Defines the command. */
export function defineResume(leaf: Leaf, context: CommandContext): void {
  addFilterOptions(leaf("resume", "resume paused or held runs: one, several, or all that match a filter"))
    .addArgument(new CompletedArgument("[runs...]", "runs", "run"))
    .option("--reason <text>", "reason, stored in the journal", "")
    .addOption(
      new Option("--hold <kind...>", "holds to release (default: the operator's)").choices(Object.keys(HOLD_KINDS)),
    )
    .option("-y, --yes", "resume the runs that match the filter; without it they are only listed")
    .action((runIds: readonly string[], options: ResumeOptions) =>
      withClient(options, async (client) => {
        const filter = toFilter(options);
        checkChoice(runIds, filter);
        const [only] = runIds;
        if (filter === "" && runIds.length === 1 && only !== undefined) {
          printOne(await resume(client, only, options), options);
          return;
        }
        const found = filter === "" ? null : await find(client, filter);
        if (found !== null && options.yes !== true) return preview(found, options);
        const outcome = await resumeAll(client, found?.map((run) => run.runId) ?? runIds, options);
        context.exitWith(printAll(outcome, options));
      }),
    );
}

function checkChoice(runIds: readonly string[], filter: string): void {
  if (runIds.length > 0 !== (filter !== "")) return;
  const problem =
    runIds.length > 0
      ? "name runs or use a filter, not both"
      : "name runs, or select them with --filter, --state, --flow, or --label";
  fail("INVALID_REQUEST", { problem, field: "runs" });
}

async function find(client: ApiClient, filter: string): Promise<readonly RunSummary[]> {
  return readPages(MAX_RUNS, async (pageToken, pageSize) => {
    const page = await client.call(RunService.method.listRuns, { filter, pageToken, pageSize });
    return { lines: page.runs, next: page.nextPageToken };
  });
}

function preview(runs: readonly RunSummary[], { output }: ResumeOptions): void {
  if (output === "json") printJson({ runs: runs.map((run) => toPrintable(RunSummarySchema, run)) });
  else process.stdout.write(formatRuns(runs));
  process.stderr.write(`nothing was changed: ${runs.length} run(s) match; add --yes to resume them\n`);
}

async function resume(client: ApiClient, runId: string, { reason, hold = [] }: ResumeOptions): Promise<Run> {
  const holdKinds = hold.map((kind) => HOLD_KINDS[kind as keyof typeof HOLD_KINDS]);
  const request = { runId, reason, holdKinds, requestId: crypto.randomUUID() };
  const { run } = await client.call(RunService.method.resumeRun, request);
  return run ?? fail("RUN_NOT_FOUND", { runId });
}

async function resumeAll(client: ApiClient, runIds: readonly string[], options: ResumeOptions) {
  const resumed: Run[] = [];
  const refused: Refused[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let runId = runIds[next++]; runId !== undefined; runId = runIds[next++]) {
      try {
        resumed.push(await resume(client, runId, options));
      } catch (error) {
        // One that has ended meanwhile keeps nobody else from going on.
        const code = isOrchestratorError(error) ? error.code : "INTERNAL";
        const message = error instanceof Error ? error.message : String(error);
        refused.push({ runId, code, message, exitCode: exitCodeOf(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, runIds.length) }, work));
  return { resumed, refused };
}

function printOne(run: Run, { output }: OutputOptions): void {
  if (output === "json") printJson(toPrintable(RunSchema, run));
  else process.stdout.write(`${run.runId} is ${runState(run)}\n`);
}

/** Prints what became of many runs. Returns the exit code: that of the first refusal, if there is one. */
function printAll(
  { resumed, refused }: { readonly resumed: readonly Run[]; readonly refused: readonly Refused[] },
  { output }: OutputOptions,
): number {
  if (output === "json")
    printJson({
      runs: resumed.map((run) => toPrintable(RunSchema, run)),
      refused: refused.map(({ runId, code, message }) => ({ runId, code, message })),
    });
  else for (const run of resumed) process.stdout.write(`${run.runId} is ${runState(run)}\n`);
  for (const { runId, message } of refused) process.stderr.write(`${runId}: ${message}\n`);
  process.stderr.write(`${resumed.length} resumed, ${refused.length} refused\n`);
  return refused[0]?.exitCode ?? EXIT.OK;
}
