/** Open runs by their keys, chosen once for each request. */

import type { RunKeys } from "../../ports/bus/run-keys.ts";
import type { Journal } from "../../ports/journal.ts";

export function createRunKeys(journal: Pick<Journal, "findConflict" | "keepAnswer" | "forgetAnswer">): RunKeys {
  return {
    async isTaken(tenantId, runId) {
      return (await journal.findConflict({ tenantId, requestId: "", runId, flowId: "", runKey: "" })) !== null;
    },
    async findRun(tenantId, requestId) {
      const found = await journal.findConflict({ tenantId, requestId, runId: "", flowId: "", runKey: "" });
      return found?.runId ?? null;
    },
    async claimRun(tenantId, flowId, runKey, requestId) {
      for (;;) {
        const found = await journal.findConflict({ tenantId, requestId, runId: "", flowId, runKey });
        if (found === null) return null;
        const { runId } = found;
        if (found.by === "request") return { runId, isNew: false };
        if (await journal.keepAnswer({ tenantId, requestId, requestHash: "", runId })) return { runId, isNew: true };
      }
    },
    releaseRun: (tenantId, requestId, runId) => journal.forgetAnswer({ tenantId, requestId, runId }),
  };
}
