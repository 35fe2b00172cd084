/** A real Prometheus that scrapes one service. */
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { stringify } from "yaml";
import { IN_CI } from "../../clients/programs.ts";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

/** Whether there is no Prometheus, and that is no failure. */
export const PROMETHEUS_MISSING = !IN_CI && spawnSync("prometheus", ["--version"]).error !== undefined;
if (PROMETHEUS_MISSING) console.log("skipped: queries, because Prometheus is missing (Debian: prometheus)");

/** Series of an answer: labels and the value. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Starts it for one test; it scrapes `127.0.0.1:port` each second. Resolves to a function that evaluates a query now.
 */
export async function startPrometheus(port: number): Promise<(query: string) => Promise<readonly Sample[]>> {
  const folder = createTemporaryFolder();
  const config = {
    global: { scrape_interval: "1s" },
    scrape_configs: [{ job_name: "orchestrator", static_configs: [{ targets: [`127.0.0.1:${port}`] }] }],
  };
  writeFileSync(join(folder, "prometheus.yml"), stringify(config));
  const own = `127.0.0.1:${await findFreePort()}`;
  const child = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${own}`,
    ],
    { stdio: "ignore" },
  );
  const gone = new Promise((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await gone;
  });
  const evaluate = async (query: string): Promise<readonly Sample[]> => {
    const answer = await fetch(`http://${own}/api/v1/query?${new URLSearchParams({ query })}`);
    const body = (await answer.json()) as Answer;
    if (body.status !== "success") throw new Error(`${query}: ${body.error}`);
    return body.data.result.map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }));
  };
  await eventually(() => evaluate("vector(1)"), { timeoutMs: 60_000, intervalMs: 200 });
  return evaluate;
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[];
  };
}
