/** `promtool`, of Prometheus: queries and rules of the document against what the service says of itself. */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { IN_CI } from "../../clients/programs.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import type { Samples } from "./bed.ts";

/** Whether there is no promtool, and that is no failure. */
export const PROMTOOL_MISSING = !IN_CI && spawnSync("promtool", ["--version"]).error !== undefined;
if (PROMTOOL_MISSING) console.log("skipped: queries and alerts, because promtool is missing (Debian: prometheus)");

/** The alerts of the document. */
const RULES = {
  groups: [
    {
      name: "orchestrator",
      rules: [
        {
          ...{ alert: "HighRetryRate", expr: "rate(orchestrator_retry_attempts_total[5m]) > 0.1", for: "2m" },
          ...{ labels: { severity: "warning" }, annotations: { summary: "many retries" } },
        },
        {
          ...{ alert: "DeadLetterQueueGrowing", expr: "increase(orchestrator_dead_letter_queue_size[5m]) > 10" },
          ...{ for: "1m", labels: { severity: "critical" }, annotations: { summary: "dead letters pile up" } },
        },
      ],
    },
  ],
};

/** Series from two readings, 5 minutes apart, each taken as many times as minutes went by. */
function seriesOf(before: Samples, after: Samples, prefix: string): readonly object[] {
  return [...after].flatMap(([series, value]) => {
    if (!series.startsWith(prefix)) return [];
    const first = before.get(series);
    // One that began in between has no value before.
    return [{ series, values: `${first ?? "_"}x5 ${value}x5` }];
  });
}

export interface AlertTest {
  readonly eval_time: string;
  readonly alertname: string;
  /** The severity with which it fires; null: it does not. */
  readonly fires: "warning" | "critical" | null;
}

/** Runs the rules over series, minute by minute; fails unless the alerts fire as expected. */
export function testAlerts(input: Readonly<Record<string, string>>, alerts: readonly AlertTest[]): void {
  const series = Object.entries(input).map(([name, values]) => ({ series: name, values }));
  const tests = alerts.map(({ fires, ...alert }) => ({
    ...alert,
    exp_alerts: fires === null ? [] : [toExpected(alert.alertname, { ...labelsOf(input), severity: fires })],
  }));
  runTests([{ interval: "1m", input_series: series, alert_rule_test: tests }]);
}

function toExpected(alertname: string, labels: Readonly<Record<string, string>>): object {
  const rule = RULES.groups[0]?.rules.find(({ alert }) => alert === alertname);
  return { exp_labels: labels, exp_annotations: rule?.annotations };
}

/** Labels of the only series. */
function labelsOf(input: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [series = ""] = Object.keys(input);
  return Object.fromEntries([...series.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]));
}

/** Evaluates queries over two readings of the metrics; fails unless each gives what is expected of it. */
export function testQueries(
  before: Samples,
  after: Samples,
  queries: readonly { readonly expr: string; readonly value: number }[],
): void {
  const tests = queries.map(({ expr, value }) => ({ expr, eval_time: "10m", exp_samples: [{ labels: "{}", value }] }));
  runTests([{ interval: "1m", input_series: seriesOf(before, after, "orchestrator_"), promql_expr_test: tests }]);
}

function runTests(tests: readonly object[]): void {
  const folder = createTemporaryFolder();
  writeFileSync(join(folder, "rules.yaml"), stringify(RULES));
  writeFileSync(
    join(folder, "tests.yaml"),
    stringify({ rule_files: ["rules.yaml"], evaluation_interval: "1m", tests }),
  );
  for (const args of [
    ["check", "rules", "rules.yaml"],
    ["test", "rules", "tests.yaml"],
  ])
    execFileSync("promtool", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
}
