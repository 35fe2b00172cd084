import { abortedOutcome } from "./outcome.ts";
import type { Step } from "./path.ts";

/** Longest delay that a timer of the machine keeps; a longer one would fire at once, milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

/** Aborts the adapter's signal when the time of the attempt is over, counted from here: waiting in a queue costs the tool nothing. */
export function withDeadline(): Step {
  return async (inHand, next) => {
    const { call, signal } = inHand;
    if (signal.aborted) return abortedOutcome(signal, true);
    if (call.timeoutMs === null || call.timeoutMs > MAX_TIMER_MS) return next(inHand);
    const controller = new AbortController();
    const onAbort = () => controller.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(
      () => controller.abort(new DOMException("the attempt did not end in time", "TimeoutError")),
      call.timeoutMs,
    );
    try {
      return await next({ ...inHand, signal: controller.signal });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  };
}
