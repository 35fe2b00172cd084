/** Objectives: what is left of each error budget, and how fast it burns. */
import { realTime } from "../rule.ts";
import { OBJECTIVES, ratioOf, WINDOWS } from "../slo.ts";
import type { DashboardPlan } from "./dashboard.ts";
import { figure, graph } from "./panel.ts";
import type { Query } from "./query.ts";

/** How many times faster than allowed the budget burns, over a window. */
const burn = (window: string, id?: string): string => {
  const choice = id === undefined ? "" : `{slo="${id}"}`;
  return `${ratioOf(window)}${choice} / (1 - slo:objective:ratio${choice})`;
};

const burnsOf = (id: string): readonly Query[] =>
  WINDOWS.map(realTime).map((window) => ({ expr: burn(window, id), legend: window }));

export const OBJECTIVE_BUDGETS: DashboardPlan = {
  uid: "orchestrator-slo",
  title: "Orchestrator / Objectives",
  description: "What is left of each error budget of 30 days, and how fast it burns. All instances count.",
  rows: [
    {
      title: "Error budget left",
      panels: OBJECTIVES.map(({ id, title, target, dashboard }) =>
        figure({
          ...{ title, unit: "part", limits: [0.5, 0], next: dashboard, span: 6 },
          description: `${100 * target} % of events must be good over 30 days. Below 0 the objective is missed.`,
          queries: [{ expr: `slo:error_budget_left:ratio{slo="${id}"}`, legend: "left" }],
        }),
      ),
    },
    {
      title: "Over time",
      panels: [
        graph({
          ...{ title: "Budgets", unit: "part", span: 12 },
          description: "What is left of each. A step down is an outage, a slope is a fault that nobody has found yet.",
          queries: [{ expr: "slo:error_budget_left:ratio", legend: "{{slo}}" }],
        }),
        graph({
          ...{ title: "Burn rates of an hour", unit: "count", span: 12, limits: [6, 14.4] },
          description: "At 1 the budget lasts for exactly 30 days; at 14.4 somebody is called.",
          queries: [{ expr: burn("1h"), legend: "{{slo}}" }],
        }),
      ],
    },
    {
      title: "Burn rates by window",
      panels: OBJECTIVES.map(({ id, title, impact, dashboard }) =>
        graph({
          ...{ title: `Burn of ${title}`, unit: "count", span: 12, next: dashboard, limits: [1, 14.4] },
          description: `Alerts need a long and a short window over their limit. ${impact}`,
          queries: burnsOf(id),
        }),
      ),
    },
  ],
};
