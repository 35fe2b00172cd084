import { toError } from "../../../src/base/errors.ts";
import type { Workers } from "../../../src/engine/ports/dispatch/workers.ts";

/** Workers that get no tasks. */
export function createFakeWorkers(): Workers {
  return {
    register: () => ({ sessionId: "s", ackTimeoutMs: 5_000, sessionTimeoutMs: 30_000 }),
    // biome-ignore lint/correctness/useYield: nothing is ever handed out.
    async *poll(_caller, sessionId) {
      throw toError("WORKER_SESSION_NOT_FOUND", { sessionId });
    },
    fetch: async () => [],
    report: async () => ({ standing: "unknown", message: "the task token is not one of this service" }),
    goodbye: (_caller, sessionId) => sessionId === "s",
    listAll: () => [],
    list: () => [],
    drain: () => null,
    runOf: () => null,
    forwardReports: (_caller, _sessionId, _owner, _reports, send) => send(null),
    touch: (_caller, sessionId) => sessionId === "s",
  };
}
