/** Metrics of operations, from what becomes durable. */
import type { OperationObserver } from "../../engine/operations/observer.ts";
import type { Metrics } from "./metrics.ts";

/** Counts operations. */
export function createOperationMetrics(metrics: Metrics): OperationObserver {
  const done = metrics.counter("orchestrator_operation_runs_total", "DONE");
  const failed = metrics.counter("orchestrator_operation_runs_total", "FAILED");
  return {
    committed(_state, records) {
      for (const record of records) {
        switch (record.type) {
          case "operation.started":
            metrics.counter("orchestrator_operations_started_total", record.action.type.toUpperCase()).add();
            break;
          case "operation.advanced":
            done.add(record.done);
            failed.add(record.failed);
            break;
          case "operation.ended":
            metrics.counter("orchestrator_operations_ended_total", record.state).add();
            break;
          case "operation.canceling":
        }
      }
    },
    quarantined() {
      metrics.counter("orchestrator_quarantined_operations_total").add();
    },
    endedUnread() {
      metrics.counter("orchestrator_operations_ended_total", "CANCELED").add();
    },
  };
}
