/**
 * The port of the outbox: what runs send to topics. A row that exists has not been sent. It is written in the commit of
 * the transition that sends it, and deleted once the broker has it, so everything is sent at least once.
 */
import type { Json, JsonObject } from "../../../base/json/json.ts";

/** A task for an executor. */
export interface OutgoingTask {
  readonly handler: string;
  readonly inputs: Json;
  /** From 1. */
  readonly attempt: number;
  readonly maxRetries: number;
  /** Start-to-close timeout, milliseconds; null: none. */
  readonly timeoutMs: number | null;
  readonly correlationId: string;
  readonly userId: string;
  readonly context: JsonObject | null;
  readonly idempotencyKey: string;
  /** Fencing token. */
  readonly fence: number;
}

/** An event of an `emit` task. */
export interface OutgoingEvent {
  readonly payload: Json;
  readonly headers: Json;
}

/** What is sent. */
export type OutgoingContent =
  | { readonly kind: "task"; readonly content: OutgoingTask }
  | { readonly kind: "event"; readonly content: OutgoingEvent };

/** A message, as the transition that sends it has it. */
export type OutboxRow = OutgoingContent & {
  readonly taskPath: string;
  readonly tenantId: string;
  readonly topic: string;
  /** Messages with one key are read in their order. */
  readonly key: string;
  /** Sequence of its record in the run: messages of a run are sent in this order. */
  readonly sequence: number;
  /** When the record was written, milliseconds since the epoch. */
  readonly at: number;
};

/** A message on its way out. */
export type Outgoing = OutboxRow & { readonly runId: string };

/** A message as stored. */
export interface StoredOutgoing {
  readonly id: OutgoingId;
  readonly message: Outgoing;
}

/** Names a row of the outbox. */
export interface OutgoingId {
  readonly shard: number;
  readonly id: string;
}

/** Unsent messages. */
export interface Outbox {
  /**
   * Unsent messages of these shards, those of a shard in their order; about `limit`. Topics in `without` are left out.
   */
  list(shards: readonly number[], limit: number, without: readonly string[]): Promise<readonly StoredOutgoing[]>;
  /** These are sent. */
  delete(ids: readonly OutgoingId[]): Promise<void>;
  /** This one can never be sent: it is rejected with the reason. */
  reject(id: OutgoingId, reason: string): Promise<void>;
}
