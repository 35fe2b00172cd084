/** Writes the generated files of this folder: `node observability/src/build.ts`. A test proves them fresh. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildDashboard } from "./dashboards/dashboard.ts";
import { DASHBOARDS } from "./dashboards/index.ts";
import { renderAlerts, renderCases, renderObjectives } from "./files.ts";
import { fillAlerts } from "./tables.ts";

const FOLDER = join(import.meta.dirname, "..");

/** What lies at which path of the folder. README.md is what it is, with the table of alerts. */
export function renderFolder(): Readonly<Record<string, string>> {
  return {
    "README.md": fillAlerts(readFileSync(join(FOLDER, "README.md"), "utf8")),
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
    const file = join(FOLDER, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
