/** The port of those who read partitions, and of messages that may have killed their reader. */
import type { PartitionId, PartitionOffset } from "./inbound.ts";

/** A partition that is ours to read. */
export interface OwnedPartition {
  readonly partition: number;
  /** Its shard, and the epoch under which that is ours. */
  readonly shard: number;
  readonly epoch: number;
}

/** A partition that was taken. */
export interface TakenPartition extends PartitionOffset {
  /** Names this reader when the partition is given back; null: the shard is not ours any more. */
  readonly reader: string | null;
  /** The reader before has died, and stood at this position when it took the partition. */
  readonly stood: boolean;
  /** Messages that are not done, by offset, with those that died while each was alone in progress. */
  readonly deaths: ReadonlyMap<bigint, MessageDeaths>;
  /** Recent deaths of owners for which no run and no reader's message accounts. */
  readonly unexplained: number;
}

/** How many died while a message was alone in progress. */
export interface MessageDeaths {
  readonly readers: number;
  /** Owners of its run that did not read it. They are among the deaths that nothing else explains. */
  readonly others: number;
}

/** Who reads partitions. */
export interface PartitionReaders {
  /**
   * Notes that this instance reads partitions of a topic from now on, and counts the death of the reader before against
   * the message that it had in progress. Partitions without a stored position are left out.
   */
  take(
    topic: Omit<PartitionId, "partition">,
    partitions: readonly OwnedPartition[],
  ): Promise<readonly TakenPartition[]>;
  /** This reader stops, or has lost the partitions: nothing has killed it. Later readers are not affected. */
  giveBack(partitions: readonly (PartitionId & Pick<TakenPartition, "reader">)[]): Promise<void>;
}

/** The place of a message in its topic. */
export interface MessagePlace extends PartitionId {
  readonly offset: bigint;
}

/** Messages that are tried alone, so that a death tells which one killed. */
export interface MessageSuspects {
  /** Puts `next` on trial, durably; `passed`, the one before, has not killed. Null: there is none. */
  name(next: MessagePlace | null, passed: MessagePlace | null): Promise<void>;
  /** The owner of its run, another instance, has died of the message on trial. No effect if it is not on trial. */
  otherDied(message: MessagePlace): Promise<void>;
  /** The message is rejected. */
  forget(message: MessagePlace): Promise<void>;
}
