/** The port of what inbound messages do, wherever the run is. */
import type { AnsweredTask, HandOvers, IgnoredAnswer } from "../dispatch/hand-overs.ts";
import type { StartRequest } from "../run-control.ts";

/** A start that comes with a message. */
export interface MessageStart
  extends Pick<
    StartRequest,
    | "runId"
    | "flowId"
    | "version"
    | "userId"
    | "correlationId"
    | "input"
    | "context"
    | "refusal"
    | "labels"
    | "hops"
    | "trace"
  > {
  /** Who starts it; absent: nobody has a name. */
  readonly actor?: string;
}

/** How an attempt ended, or that it has begun, as an executor says. */
export type AnsweredOutcome = Parameters<HandOvers["answered"]>[1];

/** It counted, there is no such task, or why it changed nothing. */
export type AnswerFate = "taken" | "unknown" | IgnoredAnswer;

/**
 * What messages ask for. Calls that are made in one turn of the event loop go to other instances together. Errors:
 * those of the store, RUN_MOVED, and of {@link BusCommands.start} those of a start.
 */
export interface BusCommands {
  /**
   * Starts a run of a tenant. Resolves when that is durable. `ownerDied` is called each time the instance that had it
   * has gone before it answered; the call then goes on.
   */
  start(tenantId: string, start: MessageStart, ownerDied?: () => void): Promise<void>;
  /**
   * Begins or ends a task of an executor. Resolves when that is durable, with what became of the answer. `ownerDied` is
   * as in {@link BusCommands.start}.
   */
  answer(task: AnsweredTask, outcome: AnsweredOutcome, ownerDied?: () => void): Promise<AnswerFate>;
}
