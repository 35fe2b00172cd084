/** All dashboards, the overview first. */
import { CALLS } from "./calls.ts";
import type { DashboardPlan } from "./dashboard.ts";
import { DEPENDENCIES } from "./dependencies.ts";
import { EVENTS } from "./events.ts";
import { MODELS } from "./models.ts";
import { OBJECTIVE_BUDGETS } from "./objectives.ts";
import { OVERVIEW } from "./overview.ts";
import { PROCESSES } from "./processes.ts";
import { RECOVERY } from "./recovery.ts";
import { RUNS } from "./runs.ts";
import { WORKERS } from "./workers.ts";

export const DASHBOARDS: readonly DashboardPlan[] = [
  ...[OVERVIEW, OBJECTIVE_BUDGETS, CALLS, RUNS, WORKERS, EVENTS],
  ...[RECOVERY, DEPENDENCIES, PROCESSES, MODELS],
];
