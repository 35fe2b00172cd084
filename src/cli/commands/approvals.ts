/** `orchestrator approvals`: lists and decides approvals. */
import { type Command, Option } from "commander";
import type { ApiClient } from "../../api/client/client.ts";
import { fail } from "../../base/errors.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { ApprovalDecision, ApprovalSchema, ApprovalStateSchema } from "../../gen/orchestrator/v1/approval_pb.ts";
import { ApprovalService } from "../../gen/orchestrator/v1/approval_service_pb.ts";
import { RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CommandContext } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../connection/connect.ts";
import { readCount } from "../input/read-count.ts";
import { readPages } from "../input/read-pages.ts";
import { readText } from "../input/text-sources.ts";
import { toStdout } from "../terminal/output.ts";
import { formatTime, nameOf, printJson, runState, toPrintable } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

interface DecideOptions extends Options {
  readonly comment: string;
  readonly data?: string;
}

export function defineApprovals(command: Command, _context: CommandContext): void {
  const list = command
    .command("list")
    .description("list open approvals, oldest first")
    .option("--filter <cel>", 'approvals to list, for example: flow_id == "pay"', 'state == "PENDING"')
    .addOption(new Option("--limit <count>", "maximum number of lines").default(50).argParser(readCount))
    .action((options: Options & { readonly filter: string; readonly limit: number }) =>
      withClient(options, async (client) => {
        const approvals = await readPages(options.limit, async (pageToken, pageSize) => {
          const request = { filter: options.filter, pageToken, pageSize };
          const page = await client.call(ApprovalService.method.listApprovals, request);
          return { lines: page.approvals, next: page.nextPageToken };
        });
        if (options.output === "json")
          return printJson({ approvals: approvals.map((approval) => toPrintable(ApprovalSchema, approval)) });
        const rows = approvals.map((approval) => [
          approval.runId,
          approval.approvalId,
          approval.taskId,
          nameOf(ApprovalStateSchema, approval.state),
          formatTime(approval.createTime),
          approval.decidedBy,
          approval.assignees.join(", "),
          approval.message,
        ]);
        const headings = ["RUN", "ID", "TASK", "STATE", "ASKED", "DECIDED BY", "ASSIGNEES", "QUESTION"];
        toStdout`${formatTable(headings, rows)}`;
      }),
    );
  addOutputOption(addConnectOptions(list));
  defineDecision(command, "approve", "approve and let the run continue", ApprovalDecision.APPROVED);
  defineDecision(command, "reject", "reject what the run asks for", ApprovalDecision.REJECTED);
}

function defineDecision(parent: Command, name: string, summary: string, decision: ApprovalDecision): void {
  const command = parent
    .command(name)
    .description(summary)
    .addArgument(new CompletedArgument("<run>", "run that asks", "asking-run"))
    .addArgument(
      new CompletedArgument(
        "[approval]",
        "id of the approval, or the task that asks; optional if the run has one open approval",
        "approval",
      ),
    )
    .option("--comment <text>", "comment, stored with the run", "")
    .option("--data <json>", "data for the form, a JSON object or @file")
    .action((runId: string, named: string | undefined, options: DecideOptions) =>
      withClient(options, async (client) => {
        const approvalId = await findApproval(client, runId, named);
        const data = options.data === undefined ? undefined : await readData(options.data);
        const { approval } = await client.call(ApprovalService.method.decideApproval, {
          runId,
          approvalId,
          decision,
          comment: options.comment,
          requestId: crypto.randomUUID(),
          ...(data === undefined ? {} : { dataValue: { case: "dataJson", value: data } }),
        });
        if (approval === undefined) return;
        if (options.output === "json") printJson(toPrintable(ApprovalSchema, approval));
        else toStdout`${approval.taskId} of ${runId} is ${nameOf(ApprovalStateSchema, approval.state)}\n`;
      }),
    );
  addOutputOption(addConnectOptions(command));
}

/**
 * Finds an approval: by id, the open one of the named task, or the only open one of the run. Errors: RUN_STATE_INVALID
 * if none is open, RUN_NOT_FOUND, INVALID_REQUEST if there are several.
 */
async function findApproval(client: ApiClient, runId: string, named: string | undefined): Promise<string> {
  if (named !== undefined && /^\d+$/.test(named)) return named;
  const filter = `run_id == ${JSON.stringify(runId)} && state == "PENDING"`;
  const { approvals: all } = await client.call(ApprovalService.method.listApprovals, { filter, pageSize: 200 });
  const open = named === undefined ? all : all.filter(({ taskId }) => taskId === named);
  const [only] = open;
  if (only === undefined) {
    const { run } = await client.call(RunService.method.getRun, { runId, readMask: { paths: ["state"] } });
    const state = run === undefined ? "gone" : runState(run);
    const hint = all.length === 0 ? "" : `; open: ${listNames(all)}`;
    const action =
      named === undefined ? "a decision without an open approval" : `a decision: ${named} has no open approval${hint}`;
    return fail("RUN_STATE_INVALID", { runId, state, action });
  }
  if (open.length === 1) return only.approvalId;
  return fail("INVALID_REQUEST", {
    problem: `run ${runId} has several open approvals; name one: ${listNames(open)}`,
    field: "approval",
  });
}

function listNames(open: readonly { readonly approvalId: string; readonly taskId: string }[]): string {
  return open.map(({ approvalId, taskId }) => `${approvalId} (${taskId})`).join(", ");
}

async function readData(given: string): Promise<Buffer> {
  const text = given.startsWith("@") ? await readText(given.slice(1)) : given;
  const value = parseJson(text, { field: "data" });
  if (typeof value !== "object" || value === null || Array.isArray(value))
    fail("INVALID_JSON", { field: "data", problem: "a JSON object was expected" });
  return Buffer.from(JSON.stringify(value));
}
