/**
 * The port to stored checkpoints. Values are JSON text in the format of `codec.ts`; the store does not interpret them.
 */

/** Owner of checkpoints: a graph task of a run in one generation, and the current attempt. */
export interface CheckpointThread {
  readonly tenantId: string;
  readonly threadId: string;
  readonly runId: string;
  /** Token of the attempt: increases with every dispatch. */
  readonly fencingToken: number;
}

/** Value of a channel at one version. */
export interface ChannelValue {
  readonly channel: string;
  readonly version: string;
  readonly value: string;
}

/** A write of a node. `place` orders the writes of a node; a write replaces an earlier one at the same place. */
export interface StoredWrite {
  readonly taskId: string;
  readonly place: number;
  readonly channel: string;
  readonly value: string;
}

/** A checkpoint to be stored. */
export interface NewCheckpoint {
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  /** JSON object without channel values; its `channel_versions` name the versions that it consists of. */
  readonly checkpoint: string;
  readonly metadata: string;
  /** Values of the channels that changed. */
  readonly channels: readonly ChannelValue[];
}

/** A checkpoint as read from the store. */
export interface StoredCheckpoint {
  readonly threadId: string;
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  readonly checkpoint: string;
  readonly metadata: string;
  readonly channels: readonly (readonly [channel: string, value: string])[];
  /** Ordered by task and place. */
  readonly writes: readonly StoredWrite[];
}

/** Criteria of {@link CheckpointStore.list}; null means any. */
export interface CheckpointQuery {
  readonly threadId: string | null;
  readonly namespace: string | null;
  readonly checkpointId: string | null;
  /** Only checkpoints with a smaller id. */
  readonly beforeId: string | null;
  /** Only checkpoints older than the last one listed: the next page. */
  readonly after: { readonly threadId: string; readonly namespace: string; readonly checkpointId: string } | null;
  readonly limit: number;
}

/**
 * Stores checkpoints. Everything is durable when the promise resolves. Errors: those of the store, and
 * GRAPH_ATTEMPT_STALE.
 */
export interface CheckpointStore {
  /**
   * Makes this attempt the only one that may write. The first claim pins the version of the graph (`1` when absent);
   * every claim returns the pinned version. Throws GRAPH_ATTEMPT_STALE when a newer attempt has claimed the thread.
   * Waits for writes of older attempts that are in progress.
   */
  claim(thread: CheckpointThread, version?: string): Promise<string>;
  /**
   * Stores a checkpoint with its channels, all or nothing. Throws GRAPH_ATTEMPT_STALE when another attempt has claimed
   * the thread.
   */
  put(thread: CheckpointThread, checkpoint: NewCheckpoint): Promise<void>;
  /** Stores writes of nodes. Throws GRAPH_ATTEMPT_STALE as `put` does. */
  putWrites(
    thread: CheckpointThread,
    namespace: string,
    checkpointId: string,
    writes: readonly StoredWrite[],
  ): Promise<void>;
  /**
   * Returns the checkpoint, or the newest one of the namespace when `checkpointId` is null; null when there is none.
   */
  get(
    tenantId: string,
    threadId: string,
    namespace: string,
    checkpointId: string | null,
  ): Promise<StoredCheckpoint | null>;
  /** Lists checkpoints, newest id first. */
  list(tenantId: string, query: CheckpointQuery): Promise<readonly StoredCheckpoint[]>;
  /** Lists writes to the given channels across all checkpoints of the thread. */
  listWrites(tenantId: string, threadId: string, channels: readonly string[]): Promise<readonly StoredWrite[]>;
  /** Deletes the thread and everything in it. */
  deleteThread(tenantId: string, threadId: string): Promise<void>;
}
