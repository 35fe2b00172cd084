import { isOrchestratorError } from "../../../src/base/errors.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { RunActions } from "../../../src/engine/ports/operations.ts";

/** What operations do to runs, straight on an engine. */
export function createRunActions(engineOf: () => Engine): RunActions {
  return {
    async apply(caller, action, runId, id) {
      const engine = engineOf();
      const request = { id, hash: JSON.stringify(action) };
      try {
        switch (action.type) {
          case "cancel":
            await engine.cancelRun(caller, runId, action.reason, action.compensate, request);
            break;
          case "terminate":
            await engine.terminateRun(caller, runId, action.reason, request);
            break;
          case "resume":
            await engine.resumeRun(caller, runId, action.holds, action.reason, request);
            break;
          case "delete":
            await engine.deleteRun(caller, runId);
        }
      } catch (error) {
        const isOver = isOrchestratorError(error) && (error.code === "RUN_FINISHED" || error.code === "RUN_DELETED");
        if (!isOver || (action.type !== "cancel" && action.type !== "terminate")) throw error;
      }
    },
  };
}
