/**
 * LangGraph's checkpointer on top of our store. Runs in the graph worker; `SaverStore` is the store as seen from there.
 */

import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  type PendingWrite,
  TASKS,
  WRITES_IDX_MAP,
} from "@langchain/langgraph-checkpoint";
import { fail } from "../../base/errors.ts";
import type { CheckpointQuery, NewCheckpoint, StoredCheckpoint, StoredWrite } from "../ports/checkpoints.ts";
import { decodeValue, encodeValue } from "./codec.ts";

/** The store for one tenant and attempt, by thread. */
export interface SaverStore {
  put(threadId: string, checkpoint: NewCheckpoint): Promise<void>;
  putWrites(threadId: string, namespace: string, checkpointId: string, writes: readonly StoredWrite[]): Promise<void>;
  get(threadId: string, namespace: string, checkpointId: string | null): Promise<StoredCheckpoint | null>;
  list(query: CheckpointQuery): Promise<readonly StoredCheckpoint[]>;
  listWrites(threadId: string, channels: readonly string[]): Promise<readonly StoredWrite[]>;
  deleteThread(threadId: string): Promise<void>;
}

const PAGE_SIZE = 50;

/**
 * Checkpoints in our store. Reads are checked: an invalid row causes GRAPH_STATE_INVALID, never unexpected behavior in
 * the graph.
 */
export class StoreSaver extends BaseCheckpointSaver<number> {
  readonly #store: SaverStore;

  constructor(store: SaverStore) {
    super();
    this.#store = store;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { threadId, namespace, checkpointId } = readConfig(config);
    if (threadId === null) return undefined;
    const stored = await this.#store.get(threadId, namespace ?? "", checkpointId);
    return stored === null ? undefined : this.#toTuple(stored);
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { threadId, namespace, checkpointId } = readConfig(config);
    const beforeId = options.before === undefined ? null : readConfig(options.before).checkpointId;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    let after: CheckpointQuery["after"] = null;
    for (;;) {
      const page = await this.#store.list({ threadId, namespace, checkpointId, beforeId, after, limit: PAGE_SIZE });
      for (const stored of page) {
        if (left <= 0) return;
        const tuple = await this.#toTuple(stored);
        if (!hasMetadata(tuple, options.filter)) continue;
        left -= 1;
        yield tuple;
      }
      after = page.at(-1) ?? null;
      if (after === null || page.length < PAGE_SIZE) return;
    }
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { threadId, namespace, checkpointId: parentId } = readConfig(config);
    if (threadId === null) throw new Error("put needs configurable.thread_id");
    const { channel_values: values, ...rest } = checkpoint;
    const channels = Object.entries(newVersions)
      .filter(([channel]) => Object.hasOwn(values, channel))
      .map(([channel, version]) => ({
        channel,
        version: String(version),
        value: encodeValue(values[channel], channel),
      }));
    await this.#store.put(threadId, {
      namespace: namespace ?? "",
      checkpointId: checkpoint.id,
      parentId,
      checkpoint: encodeValue(rest, "checkpoint"),
      metadata: encodeValue(metadata, "metadata"),
      channels,
    });
    return toConfig(threadId, namespace ?? "", checkpoint.id);
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const { threadId, namespace, checkpointId } = readConfig(config);
    if (threadId === null || checkpointId === null)
      throw new Error("putWrites needs configurable.thread_id and checkpoint_id");
    // A node that asked twice writes its answers twice; the last write of a place counts.
    const places = new Map<number, StoredWrite>();
    for (const [index, [channel, value]] of writes.entries()) {
      const place = WRITES_IDX_MAP[channel] ?? index;
      places.set(place, { taskId, place, channel, value: encodeValue(value, channel) });
    }
    await this.#store.putWrites(threadId, namespace ?? "", checkpointId, [...places.values()]);
  }

  override async deleteThread(threadId: string): Promise<void> {
    await this.#store.deleteThread(threadId);
  }

  async #toTuple(stored: StoredCheckpoint): Promise<CheckpointTuple> {
    const { threadId, namespace, checkpointId, parentId } = stored;
    const checkpoint = checkCheckpoint(decodeValue(stored.checkpoint, "checkpoint"));
    const values = stored.channels.map(([channel, value]) => [channel, decodeValue(value, channel)]);
    const tuple: CheckpointTuple = {
      config: toConfig(threadId, namespace, checkpointId),
      checkpoint: { ...checkpoint, channel_values: Object.fromEntries(values) },
      metadata: checkMetadata(decodeValue(stored.metadata, "metadata")),
      pendingWrites: toPendingWrites(stored.writes),
    };
    if (parentId !== null) {
      tuple.parentConfig = toConfig(threadId, namespace, parentId);
      if (checkpoint.v < 4) await this.#addSends(tuple.checkpoint, threadId, namespace, parentId);
    }
    return tuple;
  }

  /** Before format 4, the sends of a step were writes of the previous checkpoint. */
  async #addSends(checkpoint: Checkpoint, threadId: string, namespace: string, parentId: string): Promise<void> {
    const parent = await this.#store.get(threadId, namespace, parentId);
    const sends = toPendingWrites(parent?.writes ?? []).filter(([, channel]) => channel === TASKS);
    const versions = Object.values(checkpoint.channel_versions).map(Number);
    checkpoint.channel_values[TASKS] = sends.map(([, , value]) => value);
    checkpoint.channel_versions[TASKS] = versions.length > 0 ? Math.max(...versions) : this.getNextVersion(undefined);
  }
}

function readConfig({ configurable }: RunnableConfig) {
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
  const namespace: unknown = configurable?.checkpoint_ns;
  return {
    threadId: text(configurable?.thread_id),
    namespace: typeof namespace === "string" ? namespace : null,
    checkpointId: text(configurable?.checkpoint_id),
  };
}

function toConfig(threadId: string, namespace: string, checkpointId: string): RunnableConfig {
  return { configurable: { thread_id: threadId, checkpoint_ns: namespace, checkpoint_id: checkpointId } };
}

function toPendingWrites(writes: readonly StoredWrite[]): CheckpointPendingWrite[] {
  return writes.map(({ taskId, channel, value }) => [taskId, channel, decodeValue(value, channel)]);
}

function hasMetadata(tuple: CheckpointTuple, filter: Record<string, unknown> = {}): boolean {
  const metadata: Readonly<Record<string, unknown>> = tuple.metadata ?? {};
  return Object.entries(filter).every(([key, value]) => Object.hasOwn(metadata, key) && metadata[key] === value);
}

function checkCheckpoint(value: unknown): Omit<Checkpoint, "channel_values"> {
  const { v, id, ts, channel_versions: versions, versions_seen: seen } = isRecord(value) ? value : {};
  const isSound =
    typeof v === "number" &&
    typeof id === "string" &&
    typeof ts === "string" &&
    isVersions(versions) &&
    isRecord(seen) &&
    Object.values(seen).every(isVersions);
  if (!isSound) fail("GRAPH_STATE_INVALID", { problem: "a stored checkpoint is none" });
  return { v, id, ts, channel_versions: versions, versions_seen: seen as Checkpoint["versions_seen"] };
}

function checkMetadata(value: unknown): CheckpointMetadata {
  if (!isRecord(value) || typeof value.step !== "number")
    fail("GRAPH_STATE_INVALID", { problem: "the metadata of a stored checkpoint are none" });
  return value as unknown as CheckpointMetadata;
}

function isVersions(value: unknown): value is ChannelVersions {
  return (
    isRecord(value) &&
    Object.values(value).every((version) => typeof version === "number" || typeof version === "string")
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
