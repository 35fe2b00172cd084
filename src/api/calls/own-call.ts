import type { Caller } from "../../engine/ports/caller.ts";
import type { CallContext } from "./call.ts";
import { toRequestId } from "./request-id.ts";

/** Timeout of a call that the service makes to itself, milliseconds. */
const CALL_MS = 30_000;

/** A call that the service makes to itself, on behalf of `caller`. It also ends when `stop` aborts. */
export function createOwnCall(caller: Caller, stop: AbortSignal): CallContext {
  const deadlineAt = performance.now() + CALL_MS;
  return {
    caller,
    protocol: "grpc",
    forwarded: false,
    requestId: toRequestId(undefined),
    header: () => "",
    remainingMs: () => Math.max(0, deadlineAt - performance.now()),
    opened: () => undefined,
    turn: async () => undefined,
    signal: AbortSignal.any([stop, AbortSignal.timeout(CALL_MS)]),
  };
}
