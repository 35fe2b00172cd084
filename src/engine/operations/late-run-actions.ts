import { toError } from "../../base/errors.ts";
import type { RunActions } from "../ports/operations.ts";

/** Actions that wait until they are connected: operations of the last stop go on before the API is there. */
export interface LateRunActions extends RunActions {
  connect(actions: RunActions): void;
}

/** Not connected yet. */
export function createLateRunActions(): LateRunActions {
  const connected = Promise.withResolvers<RunActions>();
  return {
    connect: (actions) => connected.resolve(actions),
    apply: async (caller, action, runId, requestId, signal) => {
      const stopped = Promise.withResolvers<never>();
      const onAbort = (): void => stopped.reject(toError("SHUTTING_DOWN"));
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      try {
        const actions = await Promise.race([connected.promise, stopped.promise]);
        return await actions.apply(caller, action, runId, requestId, signal);
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
