/** Operations as a kind of entity of the shard runtime. */
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { OperationStore } from "../ports/operations.ts";
import type { RowsOf } from "../ports/projections.ts";
import type { Kind } from "../shard/kind.ts";
import { foldOperation, OPERATION_RULES, type OperationTypes } from "./operation-rules.ts";
import type { OperationRecord, OperationState } from "./operation-state.ts";
import { PageRunner, type PageRunnerParts } from "./page-runner.ts";

/** What operations stand on. */
export interface OperationKindParts extends PageRunnerParts {
  readonly store: OperationStore;
  readonly rowsOf: RowsOf<OperationState, OperationRecord>;
}

/** The operation kind. */
export function createOperationKind(parts: OperationKindParts): Kind<OperationTypes> {
  const { store, rowsOf, lifecycle } = parts;
  const runner = new PageRunner(parts);
  return {
    name: "operation",
    rules: OPERATION_RULES,
    store: {
      load: (operationId) => store.load(operationId),
      open: async ({ operationId, records }) => {
        try {
          return foldOperation(operationId, records as readonly OperationRecord[]);
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          // Records of a newer build, or a damaged journal.
          throw toError("OPERATION_FAILED", { operationId, why }, { cause: error });
        }
      },
      isUnreadable: (error) => isOrchestratorError(error) && error.code === "OPERATION_FAILED",
      listMoving: async (shards) => (await store.listOpen(shards)).map((id) => ({ id, moving: true })),
      listDue: async () => [],
      // One of a newer build rests until that takes its shard.
      quarantine: async () => false,
    },
    outside: {
      createWork: () => ({ page: null }),
      opened: () => {},
      perform: (resident) => runner.begin(resident),
      notify: () => {},
      recovered: (resident) => runner.begin(resident),
      begun: async () => {},
      stop: (resident) => runner.stop(resident),
      callsOf: ({ work }) => (work.page === null || lifecycle.draining ? 0 : 1),
      isBusy: ({ work }) => work.page !== null,
      afterTakeover: async () => {},
      quarantined: () => {},
    },
    suspects: null,
    rowsOf: ({ entity, pending }) => rowsOf(entity, pending, entity.sequence - pending.length + 1),
    write: (resident, json, rows) => ({
      runId: resident.id,
      shard: resident.shard,
      day: resident.day,
      sequence: resident.entity.sequence - resident.pending.length + 1,
      records: resident.pending,
      json,
      at: resident.entity.updatedAt,
      dueAt: 0,
      start: null,
      header: null,
      rows,
    }),
    toError: (trouble, operationId, why = "", cause = undefined) => {
      switch (trouble) {
        case "moved":
          return toError("OPERATION_MOVED", { operationId });
        case "missing":
          return toError("OPERATION_NOT_FOUND", { operationId });
        case "unreadable":
        case "quarantined":
          return toError("OPERATION_FAILED", { operationId, why }, { cause });
      }
    },
    logFieldsOf: ({ operationId, tenantId }) => ({ operationId, tenantId }),
  };
}
