/** The port of what inbound messages do, wherever the run is. */
import type { AnsweredTask, HandOvers } from "../dispatch/hand-overs.ts";
import type { StartRequest } from "../run-control.ts";

/** A start that comes with a message. */
export type MessageStart = Pick<
  StartRequest,
  "runId" | "flowId" | "version" | "userId" | "correlationId" | "input" | "context" | "refusal" | "labels"
>;

/** How an attempt ended, as an executor says. */
export type AnsweredOutcome = Parameters<HandOvers["answered"]>[1];

/**
 * What messages ask for. Calls that are made in one turn of the event loop go to other instances together. Errors:
 * those of the store, RUN_MOVED, and of {@link BusCommands.start} those of a start.
 */
export interface BusCommands {
  /** Starts a run of a tenant. Resolves when that is durable. */
  start(tenantId: string, start: MessageStart): Promise<void>;
  /** Ends a task of an executor. Resolves when that is durable; false when there is no such task. */
  answer(task: AnsweredTask, outcome: AnsweredOutcome): Promise<boolean>;
}
