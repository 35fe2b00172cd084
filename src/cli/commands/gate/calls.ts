/** `orchestrator gate calls`: what a policy would say of calls that runs have made, as their journals have them. */
import { randomBytes } from "node:crypto";
import { type Command, Option } from "commander";
import type { ApiClient } from "../../../api/client/client.ts";
import type { Json } from "../../../base/json/json.ts";
import { parseJson } from "../../../base/json/json-parse.ts";
import type { RunSummary, RunTask } from "../../../gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import { type CallGate, type CallVerdict, createCallGate } from "../../../guards/call-gate.ts";
import { rulesOf } from "../../../guards/gate-report.ts";
import { CALLING_TYPES } from "../../../guards/policy/task-types.ts";
import { targetOfInput } from "../../../guards/task-gate.ts";
import { CALLED_TYPES } from "../../../tasks/index.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../../connection/connect.ts";
import { readCount } from "../../input/read-count.ts";
import { readPages } from "../../input/read-pages.ts";
import { addFilterOptions, type FilterOptions, toFilter } from "../../input/run-filter-options.ts";
import { show, toStderr, toStdout, writeShown } from "../../terminal/output.ts";
import { formatTable } from "../../terminal/table.ts";
import { readPolicy } from "./read-policy.ts";

interface Options extends ConnectOptions, OutputOptions, FilterOptions {
  readonly tenant: string;
  readonly runs: number;
  readonly limit: number;
  readonly all?: true;
}

/** What the policy says of one call. */
interface JudgedLine {
  readonly run: string;
  readonly flow: string;
  readonly task: string;
  readonly verdict: CallVerdict["verdict"];
  readonly rules: readonly string[];
  /** Where, or which key of the policy; never the text. */
  readonly why: readonly string[];
}

export function defineCalls(command: Command): void {
  const leaf = command
    .command("calls")
    .description("show what a policy says of the calls that runs have made; nothing is called and nothing changes")
    .argument("<policy>", "policy file")
    .option("--tenant <id>", "whose rules hold", "default");
  addFilterOptions(addOutputOption(addConnectOptions(leaf)))
    .addOption(new Option("--runs <count>", "how many runs are read, newest first").default(50).argParser(readCount))
    .addOption(new Option("--limit <count>", "how many calls are judged").default(1_000).argParser(readCount))
    .option("--all", "also the calls that are allowed")
    .action(async (policyFile: string, options: Options) => {
      const policy = await readPolicy(policyFile);
      // Nobody approves anything here, so any key does; Reflex is not asked.
      const gate = createCallGate(policy, { reflex: null, key: randomBytes(32) });
      await withClient(options, async (client) => {
        const runs = await readPages(options.runs, async (pageToken, pageSize) => {
          const page = await client.call(RunService.method.listRuns, {
            filter: toFilter(options),
            pageToken,
            pageSize,
          });
          return { lines: page.runs, next: page.nextPageToken };
        });
        const counts = new Map<CallVerdict["verdict"], number>();
        const rows: string[][] = [];
        let judged = 0;
        for (const run of runs) {
          if (judged >= options.limit) break;
          for (const line of await judgeRun(client, gate, run, options.limit - judged, options.tenant)) {
            judged += 1;
            counts.set(line.verdict, (counts.get(line.verdict) ?? 0) + 1);
            if (line.verdict === "allow" && options.all !== true) continue;
            if (options.output === "json") toStdout`${JSON.stringify(line)}\n`;
            else
              rows.push([line.run, line.task, line.verdict.toUpperCase(), line.rules.join(", "), line.why.join(", ")]);
          }
        }
        if (options.output === "json") return;
        if (rows.length > 0)
          writeShown(process.stdout, formatTable(["RUN", "TASK", "VERDICT", "RULES", "WHERE"], rows));
        const told = (["deny", "ask", "redact", "allow"] as const).map(
          (one) => `${counts.get(one) ?? 0} ${WORDS[one]}`,
        );
        toStdout`${show`${told.join(", ")}`}\n`;
        if (judged >= options.limit) toStderr`more calls may follow: these are the first ${String(judged)}\n`;
      });
    });
}

const WORDS = { deny: "denied", ask: "asked about", redact: "redacted", allow: "allowed" } as const;

/** Judges the calls of a run, at most `most`. */
async function judgeRun(
  client: ApiClient,
  gate: CallGate | null,
  { runId, flowId }: RunSummary,
  most: number,
  tenantId: string,
): Promise<readonly JudgedLine[]> {
  const tasks = await readPages(10_000, async (pageToken, pageSize) => {
    const page = await client.call(RunService.method.listRunTasks, { runId, pageToken, pageSize });
    return { lines: page.tasks, next: page.nextPageToken };
  });
  const byPath = new Map(tasks.map((task) => [task.taskId, task]));
  const lines: JudgedLine[] = [];
  for (const task of tasks) {
    const type = CALLING_TYPES.find((one) => one === task.taskType);
    if (type === undefined || lines.length >= most) continue;
    const input = await readInput(client, runId, task.taskId);
    // It has not got so far.
    if (input === undefined) continue;
    const externalId = task.externalId === "" ? undefined : task.externalId;
    const call = { tenantId, flowId, taskId: idOf(task.taskId, byPath), externalId, type, input };
    const verdict = gate === null ? ({ verdict: "allow" } as const) : await judge(gate, call, task);
    lines.push({ run: runId, flow: flowId, task: task.taskId, ...toWords(verdict) });
  }
  return lines;
}

type Judged = Parameters<CallGate["judgeTask"]>[0];

async function judge(gate: CallGate, call: Judged, { taskId: path }: RunTask): Promise<CallVerdict> {
  const target = targetOfInput(call);
  if (!CALLED_TYPES.includes(call.type)) return gate.judgeTask(call, target);
  const made = { ...call, path, userId: "", idempotencyKey: path };
  return gate.judge(made, { ...target, destination: () => null }, new AbortController().signal, () => {});
}

async function readInput(client: ApiClient, runId: string, taskId: string): Promise<Json | undefined> {
  const request = { runId, taskId, readMask: { paths: ["input_json"] } };
  const value = (await client.call(RunService.method.getRunTask, request)).task?.inputValue;
  if (value?.case !== "inputJson") return undefined;
  return parseJson(value.value, { field: "input_json", maxDepth: 1_000 });
}

/** The id of a task in its flow, as a policy names it: a child of a `map` has that of its group. */
function idOf(path: string, byPath: ReadonlyMap<string, RunTask>): string {
  const parent = byPath.get(byPath.get(path)?.parentTaskId ?? "");
  if (parent === undefined) return path.replace(/~\d+$/, "");
  const group = idOf(parent.taskId, byPath);
  return parent.taskType === "map" ? group : group + path.slice(parent.taskId.length);
}

function toWords(judged: CallVerdict): Pick<JudgedLine, "verdict" | "rules" | "why"> {
  const { verdict } = judged;
  if (judged.verdict === "allow") return { verdict, rules: [], why: [] };
  return { verdict, rules: rulesOf(judged), why: whyOf(judged) };
}

function whyOf(judged: Exclude<CallVerdict, { readonly verdict: "allow" }>): readonly string[] {
  switch (judged.verdict) {
    case "deny":
      return [judged.why];
    case "redact":
      return judged.places;
    case "ask":
      return [...new Set(judged.found.map(({ place }) => place))];
    case "defer":
      return [judged.problem];
  }
}
