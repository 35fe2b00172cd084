/** The port of messages that could not be delivered: operators look at them, have them sent again, or drop them. */

import type { RequestKey } from "../../machine/events.ts";
import type { Caller } from "../caller.ts";
import type { DestinationName, OutgoingId, RejectionCode } from "./outbox.ts";

/** Which messages; absent fields select all. */
export interface MessageSelector {
  readonly destination?: DestinationName;
  readonly place?: string;
  readonly code?: RejectionCode;
  readonly runId?: string;
}

/** A message without its content. */
export interface UndeliveredView {
  readonly id: OutgoingId;
  readonly tenantId: string;
  readonly destination: DestinationName;
  readonly place: string;
  readonly kind: string;
  readonly runId: string;
  readonly taskPath: string;
  readonly sequence: number;
  readonly code: RejectionCode;
  readonly reason: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
  /** Microseconds since the epoch. */
  readonly rejectedAtUs: number;
}

/** Where a list goes on. */
export interface UndeliveredPlace extends OutgoingId {
  readonly rejectedAtUs: number;
}

/** Messages: the named ones, or those that are selected. */
export type MessageTarget = { readonly ids: readonly OutgoingId[] } | { readonly selector: MessageSelector };

/** What somebody does to messages. */
export interface MessageChange {
  readonly target: MessageTarget;
  /** Most messages that are changed: the oldest of those that are selected. */
  readonly limit: number;
  /** Why, for people. */
  readonly reason: string;
  /** The same key again changes nothing and is answered as the first time; absent: the call has none. */
  readonly key: RequestKey | undefined;
}

/** What a change did. */
export interface ChangedMessages {
  /** Those that were changed, the oldest first. */
  readonly ids: readonly OutgoingId[];
  /** The selector may select more. */
  readonly hasMore: boolean;
}

/** Messages that could not be delivered. */
export interface UndeliveredMessages {
  /** The oldest rejection first. */
  list(
    caller: Caller,
    selector: MessageSelector,
    after: UndeliveredPlace | null,
    limit: number,
  ): Promise<readonly UndeliveredView[]>;
  /** A message and its content as JSON text; null: there is none. */
  find(caller: Caller, id: OutgoingId): Promise<{ readonly view: UndeliveredView; readonly content: string } | null>;
  /**
   * Sends messages again, but those for executors: in their order, before what their runs have sent since and still
   * waits. They keep their ids. Durable when it resolves. Error: REQUEST_ID_REUSED.
   */
  redeliver(caller: Caller, change: MessageChange): Promise<ChangedMessages>;
  /** Removes messages, but those whose task has not failed yet. Error: REQUEST_ID_REUSED. */
  drop(caller: Caller, change: MessageChange): Promise<ChangedMessages>;
  /** Another instance has messages sent again: some may be of shards of this one. */
  look(): void;
}
