import { HOPS_HEADER } from "../../base/net/hops.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { CallContext } from "./call.ts";
import { toRequestId } from "./request-id.ts";

/** Timeout of a call that the service makes to itself, milliseconds. */
const CALL_MS = 30_000;

/**
 * A call that the service makes to itself, on behalf of `caller`, because of so many requests of runs. It also ends
 * when `stop` aborts.
 */
export function createOwnCall(caller: Caller, stop: AbortSignal, hops = 0): CallContext {
  const deadlineAt = performance.now() + CALL_MS;
  return {
    caller,
    protocol: "grpc",
    forwarded: false,
    requestId: toRequestId(undefined),
    header: (name) => (name === HOPS_HEADER && hops > 0 ? String(hops) : ""),
    remainingMs: () => Math.max(0, deadlineAt - performance.now()),
    opened: () => undefined,
    turn: async () => undefined,
    signal: AbortSignal.any([stop, AbortSignal.timeout(CALL_MS)]),
  };
}
