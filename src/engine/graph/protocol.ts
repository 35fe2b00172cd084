/**
 * Messages between the service and the graph workers. A worker runs user code, so its messages are checked before use.
 *
 *   worker: loaded → (host: run → worker: store* ↔ host: stored* → worker: ended)*      host: abort, at any time
 *
 * Every message of an attempt carries its number, so code that outlives its attempt cannot speak for the next one.
 */
import { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import type { Answer } from "../machine/records.ts";
import type { StoredCheckpoint, StoredWrite } from "../ports/checkpoints.ts";

/** A graph of a module: its exported name, and the version exported by its module. */
export interface LoadedGraph {
  readonly name: string;
  readonly version: string;
}

/** Version of graphs whose module exports none. */
export const DEFAULT_GRAPH_VERSION = "1";

/** Start parameters of a worker. */
export interface WorkerStart {
  /** Absolute paths of the modules. */
  readonly modules: readonly string[];
  /** Folder of the compile cache; null when there is none. */
  readonly compileCache: string | null;
}

/** An attempt that is sent to a worker. */
export interface RunGraph {
  readonly type: "run";
  readonly attempt: number;
  readonly graph: string;
  readonly version: string;
  readonly input: Json;
  readonly threadId: string;
  readonly answer: Answer | null;
  /** Maximum number of steps of the graph in this attempt. */
  readonly maxSteps: number;
}

/** Messages from the host. */
export type HostMessage =
  | RunGraph
  | { readonly type: "abort"; readonly attempt: number }
  | {
      readonly type: "stored";
      readonly attempt: number;
      readonly call: number;
      readonly value: StoredCheckpoint | readonly StoredCheckpoint[] | readonly StoredWrite[] | null;
      /** Set when the store refused the call. */
      readonly error: { readonly code: string; readonly message: string } | null;
    };

const text = z.string();
const textOrNull = text.nullable();

/** A call to the store; its thread is always that of the attempt. */
const storeCall = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("put"),
    checkpoint: z.strictObject({
      namespace: text,
      checkpointId: text,
      parentId: textOrNull,
      checkpoint: text,
      metadata: text,
      channels: z.array(z.strictObject({ channel: text, version: text, value: text })),
    }),
  }),
  z.strictObject({
    op: z.literal("putWrites"),
    namespace: text,
    checkpointId: text,
    writes: z.array(z.strictObject({ taskId: text, place: z.int(), channel: text, value: text })),
  }),
  z.strictObject({ op: z.literal("get"), namespace: text, checkpointId: textOrNull }),
  z.strictObject({
    op: z.literal("list"),
    query: z.strictObject({
      namespace: textOrNull,
      checkpointId: textOrNull,
      beforeId: textOrNull,
      after: z.object({ threadId: text, namespace: text, checkpointId: text }).nullable(),
      limit: z.int().min(1).max(100),
    }),
  }),
  z.strictObject({ op: z.literal("listWrites"), channels: z.array(text) }),
]);

const end = z.discriminatedUnion("kind", [
  /** `output` is JSON text. */
  z.strictObject({ kind: z.literal("completed"), output: text }),
  /** The graph asked a question; `value` is its JSON text. */
  z.strictObject({ kind: z.literal("suspended"), key: text, value: text }),
  z.strictObject({ kind: z.literal("failed"), type: text, message: text, retryable: z.boolean() }),
]);

const workerMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("loaded"), graphs: z.array(z.strictObject({ name: text, version: text })) }),
  z.strictObject({ type: z.literal("broken"), module: text, problem: text }),
  z.strictObject({ type: z.literal("store"), attempt: z.int(), call: z.int(), request: storeCall }),
  z.strictObject({ type: z.literal("ended"), attempt: z.int(), end }),
]);

/** A call to the store. */
export type StoreCall = z.infer<typeof storeCall>;
/** How an attempt ended in the worker. */
export type GraphEnd = z.infer<typeof end>;
/** Messages from a worker. */
export type WorkerMessage = z.infer<typeof workerMessage>;

/** Returns the message, or null when it is not one that a worker may send. */
export function readWorkerMessage(message: unknown): WorkerMessage | null {
  const result = workerMessage.safeParse(message);
  return result.success ? result.data : null;
}
