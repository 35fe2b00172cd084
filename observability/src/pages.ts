/** Where readers of alerts and dashboards find what they link to. Installations replace them by their own. */

const FOLDER = "https://github.com/orchestrator/orchestrator/blob/main/observability";

export const PAGES = {
  runbook: `${FOLDER}/runbook.md`,
  objectives: `${FOLDER}/SLO.md`,
  dashboards: "https://grafana.example.com/d",
} as const;
