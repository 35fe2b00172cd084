/** Where readers of alerts and dashboards find what they link to: placeholders, which lib/pages.sh replaces. */

const FOLDER = "https://github.com/orchestrator/orchestrator/blob/main/observability";

export const PAGES = {
  runbook: `${FOLDER}/runbook.md`,
  objectives: `${FOLDER}/SLO.md`,
  dashboards: "https://grafana.example.com/d",
} as const;
