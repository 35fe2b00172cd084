/**
 * Stored operations, as the shard runtime reads them: checked, once, here.
 *
 *   read fails → header says QUARANTINED, and a takeover tries again → CancelOperation ends it unread
 *                                  └── it can be read again → it goes on
 */
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { OperationStore, StoredOperation } from "../ports/operations.ts";
import type { EntityStore } from "../shard/kind.ts";
import { recordsProblem } from "./check-records.ts";
import { foldOperation, type OperationTypes } from "./operation-rules.ts";
import { hasEnded, type OperationRecord, type OperationState } from "./operation-state.ts";

/**
 * Creates the store of the operation kind. Error of operations that are damaged or of a newer build:
 * OPERATION_UNREADABLE.
 */
export function createEntityStore(store: OperationStore): EntityStore<OperationTypes> {
  return {
    load: (operationId) =>
      readOperation(operationId, async () => {
        const stored = await store.load(operationId);
        // The header is read before the journal, which may have grown to its end meanwhile.
        return stored === null || problemOf(stored) === null ? stored : store.load(operationId);
      }),
    open: (stored) =>
      readOperation(stored.operationId, () => {
        const problem = problemOf(stored);
        if (problem !== null) throw new Error(problem);
        return fold(stored);
      }),
    isUnreadable,
    listMoving: async (shards) => (await store.listOpen(shards)).map((id) => ({ id, moving: true })),
    listDue: async () => [],
    quarantine: (lease, operationId, why) => store.quarantine(lease, operationId, why),
  };
}

/** True for the error of an operation that cannot be read. */
export function isUnreadable(error: unknown): boolean {
  return isOrchestratorError(error) && error.code === "OPERATION_UNREADABLE";
}

/** Does `read`. What fails because of the operation itself, not because of the store, becomes OPERATION_UNREADABLE. */
async function readOperation<T>(operationId: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (isOrchestratorError(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw toError("OPERATION_UNREADABLE", { operationId, why }, { cause: error });
  }
}

function problemOf(stored: StoredOperation): string | null {
  const problem = recordsProblem(stored.records);
  if (problem !== null) return problem;
  const state = fold(stored);
  if (state.tenantId !== stored.tenantId) return "header and journal are of different tenants";
  if (hasEnded(state) === stored.hasEnded) return null;
  return stored.hasEnded ? "its header has ended, its journal has not" : "its journal has ended, its header has not";
}

function fold({ operationId, records }: StoredOperation): OperationState {
  return foldOperation(operationId, records as readonly OperationRecord[]);
}
