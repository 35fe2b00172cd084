import type { OperationRecord, OperationState } from "./operation-state.ts";

/** Notified of what becomes durable in operations, for metrics and the log. Must be quick and never throw. */
export interface OperationObserver {
  /** `records` became durable. `state` may be ahead of them. */
  committed(state: OperationState, records: readonly OperationRecord[]): void;
  /** An operation was found unreadable and quarantined. */
  quarantined?(operationId: string): void;
  /** An operation that cannot be read was canceled. */
  endedUnread(operationId: string): void;
}
