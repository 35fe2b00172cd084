import { startLongTimer } from "../../base/time/long-timer.ts";
import { abortedOutcome } from "../outcome.ts";
import type { Step } from "./path.ts";

/**
 * Aborts the adapter's signal when the attempt's time is up. The time starts here: waiting in a queue does not count.
 */
export function withDeadline(): Step {
  return async (current, next) => {
    const { call, signal } = current;
    if (signal.aborted) return abortedOutcome(signal, true);
    if (call.timeoutMs === null) return next(current);
    const controller = new AbortController();
    const onAbort = () => controller.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = startLongTimer(call.timeoutMs, () =>
      controller.abort(new DOMException("the attempt did not end in time", "TimeoutError")),
    );
    try {
      return await next({ ...current, signal: controller.signal });
    } finally {
      timer.stop();
      signal.removeEventListener("abort", onAbort);
    }
  };
}
