import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** Top of the repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Folder of these tests. */
export const HERE = fileURLToPath(new URL("./", import.meta.url));

/** Whether a missing language is a failure and not a skip. */
export const IN_CI = (process.env.CI ?? "") !== "";

/** First of the commands that can be run with the arguments; undefined when none can. */
export function findProgram(commands: readonly string[], args: readonly string[]): string | undefined {
  return commands.find((command) => spawnSync(command, args, { stdio: "ignore" }).status === 0);
}

/** Where and with which variables a program runs. */
export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** Runs a program to its end and gives what it printed. Fails with all of its output when it does not end with 0. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const child = spawn(command, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let messages = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (messages += chunk));
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}\n${output}${messages}`);
  return output;
}

/** A published snippet, word for word but for the address of the service, which it names once. */
export function readSnippet(language: "go" | "python" | "typescript", address: string): string {
  const text = readFileSync(`${HERE}seed/${language}.txt`, "utf8");
  expect(text.split("localhost:8002"), "the address occurs once").toHaveLength(2);
  return text.replace("localhost:8002", address);
}

/** What every flow program prints. */
interface FlowReport {
  readonly flow: string;
  readonly frames: readonly string[];
  readonly ordered: boolean;
  readonly state: string;
  readonly output: unknown;
  readonly waited: string;
  readonly code: string;
  readonly reason?: string;
}

/** Checks what a flow program printed, its error code apart: languages spell it in their own way. */
export function checkFlowReport(text: string): FlowReport {
  const report = JSON.parse(text) as FlowReport;
  expect(report).toMatchObject({
    flow: "client-check@1.0",
    ordered: true,
    state: "RUN_STATE_COMPLETED",
    output: { doubled: 42 },
    waited: "RUN_STATE_COMPLETED",
  });
  expect(report.frames[0]).toBe("snapshot");
  expect(report.frames.at(-1)).toBe("end");
  expect(report.frames.filter((frame) => frame === "event").length).toBeGreaterThan(0);
  if (report.reason !== undefined) expect(report.reason).toBe("FLOW_NOT_FOUND");
  return report;
}
