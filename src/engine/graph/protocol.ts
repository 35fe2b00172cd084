/**
 * What the service and the workers of graphs tell each other. A worker runs code of users, so whatever comes from it is checked before it is used.
 *
 *   worker: loaded → (host: run → worker: store* ↔ host: stored* → worker: ended)*      host: abort, at any time
 *
 * Every message of an attempt carries its number, so that code which outlives its attempt cannot speak for the next one.
 */
import { z } from "zod";
import type { Json } from "../../base/json/json.ts";
import type { Answer } from "../machine/records.ts";
import type { StoredCheckpoint, StoredWrite } from "../ports/checkpoints.ts";

/** A graph of a module: its exported name, and the version that its module exports. */
export interface LoadedGraph {
  readonly name: string;
  readonly version: string;
}

/** Version of the graphs of modules that export none. */
export const DEFAULT_GRAPH_VERSION = "1";

/** What a worker is started with. */
export interface WorkerStart {
  /** Absolute paths of the modules. */
  readonly modules: readonly string[];
  /** Folder of the compile cache; null when there is none. */
  readonly compileCache: string | null;
}

/** An attempt, on its way to a worker. */
export interface RunGraph {
  readonly type: "run";
  readonly attempt: number;
  readonly graph: string;
  readonly version: string;
  readonly input: Json;
  readonly threadId: string;
  readonly answer: Answer | null;
  /** Most steps of the graph in this attempt. */
  readonly maxSteps: number;
}

/** What the host says. */
export type HostMessage =
  | RunGraph
  | { readonly type: "abort"; readonly attempt: number }
  | {
      readonly type: "stored";
      readonly attempt: number;
      readonly call: number;
      readonly value: StoredCheckpoint | readonly StoredCheckpoint[] | readonly StoredWrite[] | null;
      /** Set when the store refused. */
      readonly error: { readonly code: string; readonly message: string } | null;
    };

const text = z.string();
const textOrNull = text.nullable();

/** A call to the store; the thread is always that of the attempt. */
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
  /** The graph asked; `value` is the JSON text of what it asked. */
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
/** What a worker says. */
export type WorkerMessage = z.infer<typeof workerMessage>;

/** The message, or null when it is none that a worker may send. */
export function readWorkerMessage(message: unknown): WorkerMessage | null {
  const result = workerMessage.safeParse(message);
  return result.success ? result.data : null;
}
