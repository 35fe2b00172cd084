/** The monitoring of the gRPC service's document: its files, its commands, and its variables, over the real folder. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../clients/programs.ts";
import { runSync, STACK_MISSING } from "../observability/sync/run-sync.ts";
import { EDITOR_TOKEN, startGrafana } from "../support/grafana/stand-in.ts";
import { startAlertmanager } from "../support/monitoring/alertmanager.ts";
import { startPrometheus } from "../support/monitoring/prometheus.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const read = (path: string): string => readFileSync(join(ROOT, "observability", path), "utf8");

test("its files are there, and the dashboard has the address of its link", () => {
  for (const path of ["alerts.yaml", "SLO.md", "runbook.md", "dashboards/orchestrator.json"])
    expect(existsSync(join(ROOT, "observability", path)), path).toBe(true);
  expect(JSON.parse(read("dashboards/orchestrator.json"))).toMatchObject({ uid: "orchestrator" });
});

test("its alerts are among the rules: errors above 5 %, latency, service down, resources used up", () => {
  const { groups } = parse(read("alerts.yaml")) as { groups: { rules: { alert: string; expr: string }[] }[] };
  const rules = new Map(groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => [alert, expr])));
  expect(rules.get("HighErrorRate")).toMatch(/http_requests_total.* > 0\.05$/);
  expect(rules.get("HighLatency")).toMatch(/histogram_quantile\(0\.95.*http_request_duration_seconds_bucket/);
  for (const name of ["OrchestratorDown", "HighCpuUsage", "MemoryLeakSuspected", "DbPoolExhausted"])
    expect(rules.has(name), name).toBe(true);
});

describe.skipIf(STACK_MISSING)("the commands of the document", () => {
  test("sync everything, or a part, and say before what they would change", { timeout: 400_000 }, async () => {
    const rulesDir = createTemporaryFolder();
    const configDir = createTemporaryFolder();
    mkdirSync(rulesDir, { recursive: true });
    const grafana = await startGrafana();
    const prometheus = await startPrometheus({ rulesDir, externalLabels: { environment: "production" } });
    const alertmanager = await startAlertmanager();
    const env = {
      GRAFANA_URL: grafana.url,
      GRAFANA_API_KEY: EDITOR_TOKEN,
      PROMETHEUS_URL: prometheus.url,
      ALERTMANAGER_URL: alertmanager.url,
      ENVIRONMENT: "production",
      ...{
        PROMETHEUS_RULES_DIR: rulesDir,
        ALERTMANAGER_CONFIG_DIR: configDir,
        SYNC_STATE_DIR: createTemporaryFolder(),
      },
    };
    const run = async (...args: string[]) => {
      // The stand-ins speak http.
      const { code, out, err } = await runSync(["--insecure", ...args], env);
      return { code, text: `${out}${err}` };
    };
    expect(await run("validate")).toMatchObject({ code: 0 });
    expect(await run("--dry-run", "sync-service", "orchestrator")).toMatchObject({ code: 0 });
    expect(await prometheus.rules()).toEqual([]);
    for (const command of [["sync-dashboards"], ["sync-service", "orchestrator"]]) {
      const { code, text } = await run(...command);
      expect(code, text).toBe(0);
    }
    const rules = (await prometheus.rules()).map(({ name }) => name);
    expect(rules).toEqual(expect.arrayContaining(["HighErrorRate", "HighRetryRate", "DeadLetterQueueGrowing"]));
  });
});
