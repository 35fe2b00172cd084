/** The port of inbound messages that were rejected, for operators. */

/** Which messages; absent fields select all. */
export interface RejectedSelector {
  readonly topic?: string;
  readonly reason?: string;
}

/** Names a rejected message. An offset is a decimal number. */
export interface RejectedId {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: string;
}

/** A message without its bytes. */
export interface RejectedView {
  readonly id: RejectedId;
  readonly topic: string;
  readonly reason: string;
  readonly problem: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  /** Microseconds since the epoch. */
  readonly rejectedAtUs: number;
}

/** The bytes of a message, as they came. */
export interface RejectedContent {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Names and values in turn. */
  readonly headers: readonly Buffer[];
}

/** Where a list goes on. */
export interface RejectedPlace extends RejectedId {
  readonly rejectedAtUs: number;
}

/** Messages that were rejected. They belong to no tenant. */
export interface RejectedList {
  /** The oldest rejection first. */
  list(selector: RejectedSelector, after: RejectedPlace | null, limit: number): Promise<readonly RejectedView[]>;
  /** A message with its bytes; null: there is none. */
  find(id: RejectedId): Promise<{ readonly view: RejectedView; readonly content: RejectedContent } | null>;
}
