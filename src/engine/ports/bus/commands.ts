/** The port of what inbound messages do, wherever the run is. Errors of both: those of the store, and RUN_MOVED. */
import type { AnsweredTask, HandOvers } from "../dispatch/hand-overs.ts";
import type { StartRequest } from "../run-control.ts";

/** A start that comes with a message. */
export type MessageStart = Pick<
  StartRequest,
  "runId" | "flowId" | "version" | "userId" | "correlationId" | "input" | "context" | "refusal"
>;

/** What messages ask for. */
export interface BusCommands {
  /** Starts runs of a tenant; each start has its own error, in their order; null: it is started. */
  startRuns(tenantId: string, starts: readonly MessageStart[]): Promise<readonly (Error | null)[]>;
  /** Ends a task of an executor. Resolves when that is durable; false when there is no such task. */
  answer(task: AnsweredTask, outcome: Parameters<HandOvers["answered"]>[1]): Promise<boolean>;
}
