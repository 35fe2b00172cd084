/** The port to stored checkpoints. Values are JSON text whose form belongs to `codec.ts`; the store does not look into them. */

/** Whose checkpoints: a graph task of a run in one generation, and the attempt that speaks for it. */
export interface CheckpointThread {
  readonly tenantId: string;
  readonly threadId: string;
  readonly runId: string;
  /** Token of the attempt: rises with every dispatch. */
  readonly fencingToken: number;
}

/** Value of a channel in one version. */
export interface ChannelValue {
  readonly channel: string;
  readonly version: string;
  readonly value: string;
}

/** What a node wrote. `place` orders the writes of a node and replaces an earlier write of the same place. */
export interface StoredWrite {
  readonly taskId: string;
  readonly place: number;
  readonly channel: string;
  readonly value: string;
}

/** A checkpoint on its way to the store. */
export interface NewCheckpoint {
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  /** JSON object without the values of channels; its `channel_versions` name the versions that it consists of. */
  readonly checkpoint: string;
  readonly metadata: string;
  /** Values of the channels that changed. */
  readonly channels: readonly ChannelValue[];
}

/** A checkpoint as the store gives it back. */
export interface StoredCheckpoint {
  readonly threadId: string;
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  readonly checkpoint: string;
  readonly metadata: string;
  readonly channels: readonly (readonly [channel: string, value: string])[];
  /** In the order of task and place. */
  readonly writes: readonly StoredWrite[];
}

/** What {@link CheckpointStore.list} looks for; null means any. */
export interface CheckpointQuery {
  readonly threadId: string | null;
  readonly namespace: string | null;
  readonly checkpointId: string | null;
  /** Only checkpoints with a smaller id. */
  readonly beforeId: string | null;
  /** Only checkpoints older than the one that was listed last; the page after it. */
  readonly after: { readonly threadId: string; readonly namespace: string; readonly checkpointId: string } | null;
  readonly limit: number;
}

/** Keeps checkpoints. Everything is durable when the promise resolves. Errors: those of the store, and GRAPH_ATTEMPT_STALE. */
export interface CheckpointStore {
  /**
   * Makes this attempt the one that may write. The first one pins the version of the graph (`1` when absent); every one gets the pinned version. Throws
   * GRAPH_ATTEMPT_STALE when a newer one has been here. Waits for writes of older ones that are under way.
   */
  claim(thread: CheckpointThread, version?: string): Promise<string>;
  /** Stores a checkpoint with its channels, all or nothing. Throws GRAPH_ATTEMPT_STALE when another attempt has claimed the thread. */
  put(thread: CheckpointThread, checkpoint: NewCheckpoint): Promise<void>;
  /** Stores writes of nodes. Throws GRAPH_ATTEMPT_STALE as `put` does. */
  putWrites(
    thread: CheckpointThread,
    namespace: string,
    checkpointId: string,
    writes: readonly StoredWrite[],
  ): Promise<void>;
  /** The checkpoint, or the newest of the namespace when `checkpointId` is null; null when there is none. */
  get(
    tenantId: string,
    threadId: string,
    namespace: string,
    checkpointId: string | null,
  ): Promise<StoredCheckpoint | null>;
  /** Newest id first. */
  list(tenantId: string, query: CheckpointQuery): Promise<readonly StoredCheckpoint[]>;
  /** Writes to the given channels over all checkpoints of the thread. */
  listWrites(tenantId: string, threadId: string, channels: readonly string[]): Promise<readonly StoredWrite[]>;
  /** Forgets the thread with everything in it. */
  deleteThread(tenantId: string, threadId: string): Promise<void>;
}
