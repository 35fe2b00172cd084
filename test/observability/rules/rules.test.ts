/** Alerts and objectives: judged by promtool, and by faults planted in them. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ALERT_GROUPS } from "../../../observability/src/alerts/index.ts";
import { renderFolder } from "../../../observability/src/build.ts";
import { asksForObjectives, renderGroups, renderObjectives, renderTests } from "../../../observability/src/files.ts";
import { type Alert, realTime } from "../../../observability/src/rule.ts";
import { OBJECTIVES } from "../../../observability/src/slo.ts";
import { METRICS } from "../../../src/telemetry/metrics/metric-table.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";

const FOLDER = join(import.meta.dirname, "../../../observability");
const ALERTS = ALERT_GROUPS.flatMap(({ alerts }) => alerts(realTime));

/** Metrics that others show: Prometheus, Alertmanager, the library of the Node process. */
const OTHERS = /^(up|vector|alertmanager_|prometheus_|scrape_|process_|nodejs_|slo:)/;

test.each(Object.entries(renderFolder()))(
  "%s is what its source says (node observability/src/build.ts)",
  (path, text) => {
    expect(readFileSync(join(FOLDER, path), "utf8")).toBe(text);
  },
);

test("Prometheus takes the rules, and each alert fires in its case and is silent just below it", () => {
  const files = ["alerts.yaml", "prometheus/slo.rules.yml"].map((file) => join(FOLDER, file));
  execFileSync("promtool", ["check", "rules", "--lint=all", ...files]);
  const cases = ["hours", "minutes"].map((kind) => join(FOLDER, `prometheus/tests/${kind}.test.yml`));
  execFileSync("promtool", ["test", "rules", ...cases], { encoding: "utf8" });
}, 300_000);

test("a fault in an alert is noticed by its cases", () => {
  const folder = createTemporaryFolder();
  const faults = ALERTS.filter(({ name }) => name !== "DeadMansSwitch").flatMap(plantFaults);
  for (const { id } of OBJECTIVES) writeFileSync(join(folder, `slo-${id}.yml`), renderObjectives(realTime, id));
  for (const [index, alert] of faults.entries()) {
    writeFileSync(join(folder, `${index}.yml`), renderGroups([{ name: "one", alerts: [alert] }]));
    const objectives = asksForObjectives(alert) ? [`slo-${alert.labels?.["slo"]}.yml`] : [];
    writeFileSync(join(folder, `${index}.test.yml`), renderTests([alert], [`${index}.yml`, ...objectives]));
  }
  const tests = faults.map((_, index) => join(folder, `${index}.test.yml`));
  const { stdout } = spawnSync("promtool", ["test", "rules", ...tests], { encoding: "utf8", maxBuffer: 1e9 });
  const passed = stdout
    .split("Unit Testing:")
    .slice(1)
    .flatMap((part) => {
      const index = Number(/\/(\d+)\.test\.yml/.exec(part)?.[1]);
      return part.includes("SUCCESS") ? [`${faults[index]?.name}: ${faults[index]?.expr}`] : [];
    });
  expect(passed).toEqual([]);
  expect(faults.length).toBeGreaterThan(ALERTS.length);
}, 600_000);

describe.each(ALERTS)("$name", (alert) => {
  test("has a case in which it fires, and one just below", () => {
    expect(alert.silent.length).toBeGreaterThan(alert.name === "DeadMansSwitch" ? -1 : 0);
  });

  test("asks for metrics that the service shows", () => {
    for (const name of namesIn(alert.expr)) if (!OTHERS.test(name)) expect(Object.keys(METRICS)).toContain(base(name));
  });
});

/** The same alert with one fault each. */
function plantFaults(alert: Alert): readonly Alert[] {
  const { expr } = alert;
  const faults = [
    expr.replaceAll(" > ", " < "),
    expr.replaceAll(/ > ([\d.e]+)/g, (_, limit: string) => ` > ${Number(limit) * 10}`),
    expr.replaceAll(" == 0", " == 1").replaceAll(" == 1)", " == 0)"),
  ];
  return [...new Set(faults)].filter((fault) => fault !== expr).map((fault) => ({ ...alert, expr: fault }));
}

/** Names of metrics in an expression. */
function namesIn(expr: string): readonly string[] {
  const text = expr
    .replaceAll(/\{[^}]*\}/g, "")
    .replaceAll(/\[[^\]]*\]/g, "")
    .replaceAll(/\b(by|on) \([^)]*\)/g, "");
  return [...text.matchAll(/[a-zA-Z_:][\w:]*(?![\w:]*\()/g)]
    .map(([name]) => name)
    .filter((name) => name.includes("_") || name === "up");
}

/** The family of a series. */
function base(name: string): string {
  const family = name.replace(/_(bucket|count|sum)$/, "");
  return Object.hasOwn(METRICS, family) ? family : name;
}
