/** An executor that does nothing, in its own process: reads a topic and answers on another, in batches. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { consume, openBatches } from "./client.ts";

export interface ExecutorTopics {
  readonly address: string;
  readonly from: string;
  readonly to: string;
}

/** Starts the process. Resolves when it reads. */
export async function startExecutor({ address, from, to }: ExecutorTopics): Promise<() => Promise<void>> {
  const child = fork(fileURLToPath(import.meta.url), [address, from, to], {
    execArgv: ["--no-warnings"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await Promise.race([
    new Promise((resolve) => child.once("message", resolve)),
    gone.then(() => Promise.reject(new Error("the executor ended early"))),
  ]);
  return async () => {
    child.kill("SIGTERM");
    await gone;
  };
}

async function serve([address = "", from = "", to = ""]: readonly string[]): Promise<void> {
  const batches = openBatches(address);
  await consume(address, from, `executors-of-${from}`, ({ value }) => {
    const { run_id, task_id, attempt, fencing_token } = JSON.parse(value);
    const answer = { run_id, task_id, attempt, fencing_token, output: null, execution_time_ms: 0 };
    batches.send({ topic: to, key: run_id, value: JSON.stringify(answer) });
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.("reads");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv.slice(2));
