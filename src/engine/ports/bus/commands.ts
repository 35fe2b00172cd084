/** The port of what inbound messages do, wherever the run is. */
import type { AnsweredTask, HandOvers, IgnoredAnswer } from "../dispatch/hand-overs.ts";
import type { StartRequest } from "../run-control.ts";

/** A start that comes with a message. */
export type MessageStart = Pick<
  StartRequest,
  "runId" | "flowId" | "version" | "userId" | "correlationId" | "input" | "context" | "refusal" | "labels"
>;

/** How an attempt ended, or that it has begun, as an executor says. */
export type AnsweredOutcome = Parameters<HandOvers["answered"]>[1];

/** It counted, there is no such task, or why it changed nothing. */
export type AnswerFate = "taken" | "unknown" | IgnoredAnswer;

/**
 * What messages ask for. Calls that are made in one turn of the event loop go to other instances together. Errors:
 * those of the store, RUN_MOVED, and of {@link BusCommands.start} those of a start.
 */
export interface BusCommands {
  /** Starts a run of a tenant. Resolves when that is durable. */
  start(tenantId: string, start: MessageStart): Promise<void>;
  /** Begins or ends a task of an executor. Resolves when that is durable, with what became of the answer. */
  answer(task: AnsweredTask, outcome: AnsweredOutcome): Promise<AnswerFate>;
}
