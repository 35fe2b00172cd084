/** Topics of the service, by their names without the prefix of the configuration; and the port for operators. */
import type { Caller } from "../caller.ts";

/** Topics that the service reads. */
export const INBOUND_TOPICS = {
  flowRuns: "flow_runs",
  taskStarted: "task_started",
  taskDone: "task_done",
  taskFailed: "task_failed",
} as const;

/** A partition whose position was moved. */
export interface RewoundPartition {
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
}

/** Where to read on: at an offset, or at the first message that is not older than `time`, milliseconds. */
export type RewindTo = { readonly offset: bigint } | { readonly time: number };

/** Topics that are read. */
export interface InboundTopics {
  /**
   * Moves the positions of a topic, of one partition or all (null), durably and for the record. Errors: TOPIC_NOT_READ,
   * BROKERS_UNAVAILABLE.
   */
  rewind(
    caller: Caller,
    topic: string,
    partition: number | null,
    to: RewindTo,
    reason: string,
  ): Promise<readonly RewoundPartition[]>;
}
