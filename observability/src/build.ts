/** Writes the generated files of this folder: `node observability/src/build.ts`. A test proves them fresh. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildDashboard } from "./dashboards/dashboard.ts";
import { DASHBOARDS } from "./dashboards/index.ts";
import { renderAlerts, renderCases, renderObjectives } from "./files.ts";

/** What lies at which path of the folder. */
export function renderFolder(): Readonly<Record<string, string>> {
  return {
    "alerts.yaml": renderAlerts(),
    "prometheus/slo.rules.yml": renderObjectives(),
    "prometheus/tests/hours.test.yml": renderCases("hours"),
    "prometheus/tests/minutes.test.yml": renderCases("minutes"),
    ...Object.fromEntries(
      DASHBOARDS.map((plan) => [
        `dashboards/${plan.uid}.json`,
        `${JSON.stringify(buildDashboard(plan), undefined, 2)}\n`,
      ]),
    ),
  };
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(renderFolder())) {
    const file = join(import.meta.dirname, "..", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
