/** Messages about a run that was started and one that has ended. */
import type { ApiClient } from "../../api/client/client.ts";
import type { Json } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import { type Run, RunSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { OutputForm } from "../connection/connect.ts";
import { EXIT } from "../exit-codes.ts";
import { printText, showJson, toStderr, toStdout } from "./output.ts";
import { paint } from "./paint.ts";
import { formatRunError, printJson, runState, styleOf, took, toPrintable } from "./print.ts";

/** Prints that a run has started and how to follow it; `watch` is the command for that. */
export function printStarted(run: Run, output: OutputForm, watch: string): void {
  if (output === "json") {
    printJson(toPrintable(RunSchema, run));
    return;
  }
  toStdout`${run.runId}\n`;
  toStderr`${paint("dim", `watch it:  ${watch}`, process.stderr)}\n`;
}

/** Prints how a run ended, its output to stdout, the rest to stderr; returns the exit code. */
export async function printOutcome(client: ApiClient, run: Run, output: OutputForm): Promise<number> {
  const isDone = runState(run) === "COMPLETED";
  if (output === "json") {
    printJson(await withOutput(client, run));
    return isDone ? EXIT.OK : EXIT.RUN_FAILED;
  }
  const { stderr } = process;
  const state = runState(run);
  toStderr`${paint(styleOf(state), state, stderr)} in ${took(run.createTime, run.endTime)}  ${paint("dim", run.runId, stderr)}\n`;
  if (run.error !== undefined) toStderr`${paint("red", "error:", stderr)} ${formatRunError(run.error)}\n`;
  const value = (await withOutput(client, run)).output;
  if (isDone && value !== undefined && value !== null)
    printText(`${typeof value === "string" ? value : showJson(value, 2).text}\n`);
  return isDone ? EXIT.OK : EXIT.RUN_FAILED;
}

/** The run as JSON of the contract, including an output that is too large to be inline. */
export async function withOutput(client: ApiClient, run: Run): Promise<{ readonly [key: string]: Json }> {
  const json = toPrintable(RunSchema, run);
  if (run.outputValue.case !== "outputRef") return json;
  const { outputRef: _reference, ...rest } = json;
  const mask = { paths: ["output_json"] };
  const { run: full } = await client.call(RunService.method.getRun, { runId: run.runId, readMask: mask });
  const value = full?.outputValue;
  if (value?.case !== "outputJson") return json;
  return { ...rest, output: parseJson(value.value, { field: "output_json", maxDepth: 1_000 }) };
}
