/** LangGraph's own suite for checkpointers, against ours. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type SaverStore, StoreSaver } from "../../../src/engine/graph/saver.ts";
import type { CheckpointStore, CheckpointThread } from "../../../src/engine/ports/checkpoints.ts";
import { createCheckpointStore } from "../../../src/store/checkpoints.ts";
import { createTestDatabase } from "../../support/postgres.ts";

// The suite was written for a runner that has its functions as globals.
Object.assign(globalThis, { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it });
const { deltaChannelHistoryTests, specTest } = await import("@langchain/langgraph-checkpoint-validation");

const { database } = await createTestDatabase();
let tenants = 0;

/** A store that claims a thread when it is first written to, as a host does before an attempt. */
function claiming(checkpoints: CheckpointStore, tenantId: string): SaverStore {
  const claimed = new Set<string>();
  const claim = async (threadId: string): Promise<CheckpointThread> => {
    const thread = { tenantId, threadId, runId: threadId, fencingToken: 1 };
    if (!claimed.has(threadId)) await checkpoints.claim(thread);
    claimed.add(threadId);
    return thread;
  };
  return {
    put: async (threadId, checkpoint) => checkpoints.put(await claim(threadId), checkpoint),
    putWrites: async (threadId, ...write) => checkpoints.putWrites(await claim(threadId), ...write),
    get: (threadId, ...key) => checkpoints.get(tenantId, threadId, ...key),
    list: (query) => checkpoints.list(tenantId, query),
    listWrites: (threadId, channels) => checkpoints.listWrites(tenantId, threadId, channels),
    deleteThread: (threadId) => checkpoints.deleteThread(tenantId, threadId),
  };
}

const initializer = {
  checkpointerName: "StoreSaver",
  // A tenant of its own each time: lists over all threads must not see the others.
  createCheckpointer: () => {
    tenants += 1;
    return new StoreSaver(claiming(createCheckpointStore(database.reads), `tenant-${tenants}`));
  },
};
specTest(initializer);
deltaChannelHistoryTests(initializer);
