/** Metrics of limits, of the whole database: one instance has them. */
import type { LimitTotals } from "../../engine/ports/dispatch/limit-control.ts";
import type { Metrics } from "./metrics.ts";
import { createPassingGauges } from "./passing-gauges.ts";

/** Sets the gauges at each reading, to nothing at instances that leave them to another. */
export function createLimitGauges(metrics: Metrics): (totals: readonly LimitTotals[]) => void {
  const show = createPassingGauges(metrics);
  return (totals) => {
    show((add) => {
      for (const { name, waiting, held, ageMs, paused } of totals) {
        add("orchestrator_limit_tasks", waiting, name, "WAITING");
        add("orchestrator_limit_tasks", held, name, "HELD");
        add("orchestrator_limit_oldest_seconds", ageMs / 1_000, name);
        add("orchestrator_limit_paused", paused ? 1 : 0, name);
      }
    });
  };
}
