/** `make dev-monitoring` on a machine without Docker. */
import { execFileSync, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";

const PATIENCE = { timeoutMs: 60_000, intervalMs: 200 };

test("Prometheus has the rules, and the terminal says where it is and that there is no Grafana", async () => {
  const [prometheus, alertmanager] = [await findFreePort(), await findFreePort()];
  const child = spawn("make", ["dev-monitoring"], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      ...{ DEV_MONITORING: "system", METRICS_ADDRESS: "localhost:1" },
      ...{ PROMETHEUS_PORT: String(prometheus), ALERTMANAGER_PORT: String(alertmanager) },
    },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
  const gone = new Promise((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), "SIGKILL");
    await gone;
    rmSync("data/monitoring", { recursive: true, force: true });
  });
  await eventually(async () => {
    const { data } = (await (await fetch(`http://127.0.0.1:${prometheus}/api/v1/rules`)).json()) as {
      data: { groups: { rules: { name: string }[] }[] };
    };
    expect(data.groups.flatMap(({ rules }) => rules.map(({ name }) => name))).toContain("OrchestratorDown");
  }, PATIENCE);
  expect(printed).toContain(`http://localhost:${prometheus}/alerts`);
  expect(printed).toContain("There is no Grafana on port 3000");
  process.kill(-(child.pid ?? 0), "SIGINT");
  await gone;
  await eventually(async () => {
    await expect(fetch(`http://127.0.0.1:${prometheus}/-/ready`)).rejects.toThrow();
    await expect(fetch(`http://127.0.0.1:${alertmanager}/-/ready`)).rejects.toThrow();
  }, PATIENCE);
});

test("Prometheus and Alertmanager take the files for Docker", () => {
  execFileSync("promtool", ["check", "config", "--syntax-only", "observability/dev/prometheus.yml"]);
  execFileSync("amtool", ["check-config", "observability/dev/alertmanager.yml"]);
});
