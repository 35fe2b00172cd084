/** The reference agents as processes, on channels of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";
import { cleanEnvironment } from "./serve-process.ts";

export interface AgentProcess {
  readonly child: ChildProcess;
  /** Its log. */
  readonly output: () => string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** How a test reaches its agents, and the service reaches them, too. */
export interface AgentPlace {
  readonly port: number;
  readonly prefix: string;
  /** Whether requests go over Streams. */
  readonly isStream: boolean;
}

/** Variables that have the service use the channels of a place. */
export function serviceVariables({ port, prefix, isStream }: AgentPlace): Record<string, string> {
  const requests = ["data", "ai", "exec"].map((kind) => [
    `ORCHESTRATOR_AGENTS_${kind.toUpperCase()}_REQUESTS`,
    `${isStream ? "stream:" : ""}${kind}-requests`,
  ]);
  return {
    ORCHESTRATOR_REDIS_URL: `redis://127.0.0.1:${port}`,
    ORCHESTRATOR_REDIS_KEY_PREFIX: prefix,
    ORCHESTRATOR_REDIS_CHANNEL_PREFIX: prefix,
    ORCHESTRATOR_AGENTS_CONTROL: "true",
    ...Object.fromEntries(requests),
  };
}

/** Starts an agent and waits until it listens. It is killed at the end of the test. */
export async function startAgent(
  kind: "data" | "ai" | "exec",
  { port, prefix, isStream }: AgentPlace,
  more: Readonly<Record<string, string>> = {},
): Promise<AgentProcess> {
  const child = spawn(process.execPath, [`examples/agents/${kind}/main.ts`], {
    env: {
      ...cleanEnvironment(),
      REDIS_URL: `redis://127.0.0.1:${port}`,
      AGENT_REQUESTS: `${isStream ? "stream:" : ""}${prefix}${kind}-requests`,
      AGENT_RESPONSES: `stream:${prefix}${kind}-responses`,
      AGENT_CONTROL: `${prefix}${kind}-control`,
      ...more,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk));
  onTestFinished(() => void child.kill("SIGKILL"));
  await eventually(
    () => {
      if (child.exitCode !== null) throw new Error(`the agent ended: ${text}`);
      if (!text.includes("agent listens")) throw new Error(`the agent does not listen: ${text}`);
    },
    { timeoutMs: 30_000 },
  );
  return {
    child,
    output: () => text,
    stop(signal = "SIGTERM") {
      const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
      child.kill(signal);
      return ended;
    },
  };
}
