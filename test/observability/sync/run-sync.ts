/** Runs the script that brings observability/ to the monitoring stack, over small folders of its form. */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { IN_CI, ROOT } from "../../clients/programs.ts";
import { hasAlertmanager } from "../../support/monitoring/alertmanager.ts";
import { hasPrometheus } from "../../support/monitoring/prometheus.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const SCRIPT = join(ROOT, "platform/scripts/sync-observability.sh");

/** Whether the servers are missing, and that is no failure. */
export const STACK_MISSING = !IN_CI && !(hasPrometheus && hasAlertmanager);
if (STACK_MISSING) console.log("skipped: rules and alerts, because Prometheus or Alertmanager is missing");

/** Exit codes of the script. */
export const EXIT = { ok: 0, failed: 1, usage: 2, validation: 3, drift: 4 } as const;

/** Result of a run. */
export interface Synced {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** How the script is started. */
export interface SyncOptions {
  /** Goes before the script: `["bash", "-x"]`. */
  readonly shell?: readonly string[];
  /** Sees the process right after its start. */
  readonly whileRunning?: (pid: number) => Promise<void>;
}

/** Runs the script and waits for its end. It sees nothing of the environment of the tests but their programs. */
export async function runSync(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { shell = [], whileRunning }: SyncOptions = {},
): Promise<Synced> {
  const [program = SCRIPT, ...rest] = [...shell, SCRIPT, ...args];
  const child = spawn(program, rest, {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, for signals.
    detached: true,
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  const ended = new Promise<Synced>((resolve) => child.once("close", (code) => resolve({ code, out, err })));
  if (child.pid !== undefined) await whileRunning?.(child.pid);
  return ended;
}

/** An alert that fires after a second if there is something to see. */
export function alertRule(alert: string, expr = "vector(1)", severity = "page"): object {
  return { alert, expr, for: "1s", labels: { severity }, annotations: { summary: `${alert} fires` } };
}

/** A file of rules with one group. */
export function rulesFile(name: string, ...rules: readonly object[]): string {
  return stringify({ groups: [{ name, rules }] });
}

/** A dashboard as the folder has it. */
export function dashboard(uid: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { uid, title: `Title of ${uid}`, schemaVersion: 39, panels: [{ type: "text", title: "one" }], ...more };
}

const FOLDERS = {
  service: "orchestrator",
  folders: [{ uid: "orchestrator", title: "Orchestrator" }],
  default: "orchestrator",
};

/** A folder in the form of observability/ for the current test: paths with texts, or with values that become JSON. */
export interface SyncFolder {
  readonly path: string;
  write(file: string, content: string | object): void;
  remove(file: string): void;
}

/** Creates a folder with two rules, their test, a configuration of Alertmanager, and two dashboards. */
export function createSyncFolder(): SyncFolder {
  const path = createTemporaryFolder();
  const folder: SyncFolder = {
    path,
    write(file, content) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), typeof content === "string" ? content : JSON.stringify(content));
    },
    remove: (file) => rmSync(join(path, file)),
  };
  folder.write("grafana/folders.json", FOLDERS);
  folder.write("alerts.yaml", rulesFile("alerts", alertRule("AlwaysThere")));
  folder.write("prometheus/recording.rules.yml", rulesFile("recording", { record: "job:up:sum", expr: "sum(up)" }));
  folder.write(
    "prometheus/tests/recording.test.yml",
    stringify({
      rule_files: ["../recording.rules.yml"],
      tests: [
        {
          interval: "1m",
          input_series: [{ series: 'up{job="a"}', values: "1 1" }],
          promql_expr_test: [
            { expr: "job:up:sum", eval_time: "1m", exp_samples: [{ labels: "job:up:sum", value: 1 }] },
          ],
        },
      ],
    }),
  );
  folder.write(
    "alertmanager/alertmanager.yml",
    stringify({ route: { receiver: "ops" }, receivers: [{ name: "ops" }] }),
  );
  folder.write("dashboards/orchestrator.json", dashboard("orchestrator"));
  folder.write("dashboards/orchestrator-api.json", dashboard("orchestrator-api"));
  return folder;
}
