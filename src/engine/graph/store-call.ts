/** Performs store calls of a worker, on behalf of one attempt. */
import { fail } from "../../base/errors.ts";
import type { CheckpointStore, CheckpointThread, StoredCheckpoint, StoredWrite } from "../ports/checkpoints.ts";
import type { StoreCall } from "./protocol.ts";

/** Result of a store call. */
export type StoreAnswer = StoredCheckpoint | readonly StoredCheckpoint[] | readonly StoredWrite[] | null;

/**
 * Performs a call. The thread is that of the attempt, regardless of what the worker sent. Throws GRAPH_STATE_INVALID
 * for more than `maxLength` characters, and errors of the store.
 */
export async function performStoreCall(
  checkpoints: CheckpointStore,
  thread: CheckpointThread,
  request: StoreCall,
  maxLength: number,
): Promise<StoreAnswer> {
  const { tenantId, threadId } = thread;
  switch (request.op) {
    case "put":
      checkLength(request.checkpoint.channels, maxLength);
      await checkpoints.put(thread, request.checkpoint);
      return null;
    case "putWrites":
      checkLength(request.writes, maxLength);
      await checkpoints.putWrites(thread, request.namespace, request.checkpointId, request.writes);
      return null;
    case "get":
      return checkpoints.get(tenantId, threadId, request.namespace, request.checkpointId);
    case "list":
      return checkpoints.list(tenantId, { threadId, ...request.query });
    case "listWrites":
      return checkpoints.listWrites(tenantId, threadId, request.channels);
  }
}

function checkLength(values: readonly { readonly value: string }[], maxLength: number): void {
  const length = values.reduce((sum, { value }) => sum + value.length, 0);
  if (length > maxLength)
    fail("GRAPH_STATE_INVALID", { problem: `it has ${length} characters as JSON; the limit is ${maxLength}` });
}
