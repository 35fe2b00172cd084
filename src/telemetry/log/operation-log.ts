/** Operations in the log: who started what, and how it ended. A warning when it ended FAILED, or runs failed. */
import type { Log } from "../../base/log.ts";
import type { OperationObserver } from "../../engine/operations/observer.ts";

/** Writes the start and the end of operations. */
export function createOperationLog(log: Log): OperationObserver {
  return {
    committed({ operationId, tenantId, createdAt, done, failed }, records) {
      for (const record of records) {
        if (record.type === "operation.started") {
          const { action, by, matched } = record;
          log.info("operation started", { operationId, tenantId, action: action.type, by: by || undefined, matched });
        } else if (record.type === "operation.canceling")
          log.info("operation canceled", { operationId, tenantId, by: record.by || undefined });
        else if (record.type === "operation.ended") {
          const { state, problem, at } = record;
          const level = state === "FAILED" || failed > 0 ? "warn" : "info";
          const seconds = Math.max(0, at - createdAt) / 1_000;
          log[level]("operation ended", {
            operationId,
            tenantId,
            state,
            done,
            failed,
            seconds,
            problem: problem || undefined,
          });
        }
      }
    },
    endedUnread: (operationId) => log.warn("operation canceled without being read", { operationId }),
  };
}
