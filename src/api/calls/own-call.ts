import { HOPS_HEADER } from "../../base/net/hops.ts";
import { toTraceFields } from "../../base/traces/trace-context.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { CallContext } from "./call.ts";
import type { Origin } from "./hops.ts";
import { toRequestId } from "./request-id.ts";

/** Timeout of a call that the service makes to itself, milliseconds. */
const CALL_MS = 30_000;

/**
 * A call that the service makes to itself, on behalf of `caller`, because of `origin`. It also ends when `stop`
 * aborts.
 */
export function createOwnCall(caller: Caller, stop: AbortSignal, origin: Partial<Origin> = {}): CallContext {
  const { hops = 0, trace } = origin;
  const headers: Readonly<Record<string, string>> = {
    ...toTraceFields(trace),
    ...(hops > 0 ? { [HOPS_HEADER]: String(hops) } : {}),
  };
  const deadlineAt = performance.now() + CALL_MS;
  return {
    caller,
    protocol: "grpc",
    forwarded: false,
    requestId: toRequestId(undefined),
    header: (name) => headers[name] ?? "",
    remainingMs: () => Math.max(0, deadlineAt - performance.now()),
    opened: () => undefined,
    turn: async () => undefined,
    signal: AbortSignal.any([stop, AbortSignal.timeout(CALL_MS)]),
  };
}
