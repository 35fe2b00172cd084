/** Operations in memory, for tests of the protocols: they run until they are canceled. */
import { toError } from "../../../src/base/errors.ts";
import type { Operations, OperationView } from "../../../src/engine/ports/operations.ts";

/** Builds them. */
export function createFakeOperations(startAt = 1_700_000_000_000): Operations {
  const views = new Map<string, OperationView>();
  const find = (tenantId: string, operationId: string): OperationView => {
    const view = views.get(operationId);
    if (view === undefined || view.tenantId !== tenantId) throw toError("OPERATION_NOT_FOUND", { operationId });
    return view;
  };
  return {
    async startOperation({ tenantId, actor: by }, { action, target }) {
      const operationId = `op~${views.size + 1}`;
      const at = startAt + views.size * 1_000;
      const counts = { matched: target.type === "runs" ? target.runIds.length : 0, done: 0, failed: 0, failures: [] };
      const filter = target.type === "filter" ? target.text : "";
      const times = { createdAt: at, updatedAt: at, endedAt: null };
      const view = {
        operationId,
        tenantId,
        state: "RUNNING",
        action,
        filter,
        ...counts,
        problem: "",
        by,
        ...times,
      } as const;
      views.set(operationId, view);
      return view;
    },
    getOperation: async ({ tenantId }, operationId) => find(tenantId, operationId),
    listOperations: async ({ tenantId }, after, limit, order = "newest") => {
      const own = [...views.values()].filter((view) => view.tenantId === tenantId);
      const lines = order === "newest" ? own.reverse() : own;
      const from = after === null ? 0 : lines.findIndex(({ operationId }) => operationId === after.operationId) + 1;
      return lines.slice(from, from + limit);
    },
    waitOperation: async ({ tenantId }, operationId) => find(tenantId, operationId),
    async cancelOperation({ tenantId }, operationId) {
      const view = find(tenantId, operationId);
      const ended: OperationView = { ...view, state: "CANCELED", endedAt: view.updatedAt };
      views.set(operationId, ended);
      return ended;
    },
  };
}
