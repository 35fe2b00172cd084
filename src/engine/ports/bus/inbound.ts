/** The port of inbound messages: how far topics have been read, and what could not be applied. */

import type { RewoundPartition } from "./topics.ts";

/** A partition of a topic. The id of a topic changes when it is deleted and created anew. */
export interface PartitionId {
  readonly clusterId: string;
  readonly topicId: string;
  readonly topic: string;
  readonly partition: number;
}

/** A message as it came. */
export interface InboundMessage extends PartitionId {
  readonly offset: bigint;
  /** Epoch of the leader that wrote it: rises when the partition may have lost its end. */
  readonly leaderEpoch: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [Buffer | null, Buffer | null])[];
  /** Timestamp of the message, milliseconds since the epoch. */
  readonly sentAt: number;
}

/** How far a partition has been read: everything before `nextOffset` is applied or rejected. */
export interface PartitionOffset extends PartitionId {
  readonly nextOffset: bigint;
  /** Rises when the position is moved by force. */
  readonly generation: number;
}

/** Positions in inbound topics. */
export interface InboundOffsets {
  /** The positions of all partitions that a topic of this name has, or had before it was created anew. */
  list(clusterId: string, topic: string): Promise<readonly PartitionOffset[]>;
  /** Keeps positions. One that is behind the stored one, or of another generation, changes nothing. */
  save(offsets: readonly PartitionOffset[]): Promise<void>;
  /** Moves positions for an operator, keeps who did it and why, and tells the readers. In the order of partitions. */
  rewind(offsets: readonly PartitionOffset[], actor: string, reason: string): Promise<readonly RewoundPartition[]>;
  /** Calls `listener` when positions may have been moved, until the returned function is called. */
  listen(listener: () => void): () => Promise<void>;
  /** Moves a position, also back. Returns its new generation; null: somebody else has moved it. */
  move(offset: PartitionOffset): Promise<number | null>;
}

/** Messages that could not be applied. */
export interface RejectedMessages {
  /** Keeps a rejected message, with what is wrong with it, and sends a dead letter. Repeating it changes nothing. */
  keep(message: InboundMessage, reason: string, problem: string): Promise<void>;
}
