/** Operations as a kind of entity of the shard runtime. */
import { toError } from "../../base/errors.ts";
import type { OperationStore } from "../ports/operations.ts";
import type { RowsOf } from "../ports/projections.ts";
import type { Kind } from "../shard/kind.ts";
import type { OperationObserver } from "./observer.ts";
import { OPERATION_RULES, type OperationTypes } from "./operation-rules.ts";
import type { OperationRecord, OperationState } from "./operation-state.ts";
import { createEntityStore } from "./operation-store.ts";
import { PageRunner, type PageRunnerParts } from "./page-runner.ts";

export interface OperationKindParts extends PageRunnerParts {
  readonly store: OperationStore;
  readonly rowsOf: RowsOf<OperationState, OperationRecord>;
  readonly observers: readonly OperationObserver[];
}

/** The operation kind. */
export function createOperationKind(parts: OperationKindParts): Kind<OperationTypes> {
  const { store, rowsOf, lifecycle, observers } = parts;
  const runner = new PageRunner(parts);
  return {
    name: "operation",
    rules: OPERATION_RULES,
    store: createEntityStore(store),
    outside: {
      createWork: () => ({ page: null }),
      opened: (resident) => runner.begin(resident),
      follow: () => [],
      perform: (resident) => runner.begin(resident),
      notify: ({ entity }, records) => {
        for (const observer of observers) observer.committed(entity, records);
      },
      recovered: (resident) => runner.begin(resident),
      begun: async () => {},
      stop: (resident) => runner.stop(resident),
      callsOf: ({ work }) => (work.page === null || lifecycle.draining ? 0 : 1),
      isBusy: ({ work }) => work.page !== null,
      afterTakeover: async () => {},
      quarantined: (operationId) => {
        for (const observer of observers) observer.quarantined?.(operationId);
      },
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
          return toError("OPERATION_UNREADABLE", { operationId, why }, { cause });
        case "quarantined":
          return toError("OPERATION_FAILED", { operationId, why }, { cause });
      }
    },
    logFieldsOf: ({ operationId, tenantId }) => ({ operationId, tenantId }),
  };
}
