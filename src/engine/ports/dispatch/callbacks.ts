/** Results of calls that come later, at a URL that the call carried. */
import type { Outcome } from "../../machine/events.ts";

/** Takes callbacks. */
export interface Callbacks {
  /**
   * Ends the attempt that the token belongs to; resolves when that is durable, or was before. Errors:
   * CALLBACK_NOT_FOUND; CALLBACK_OUTDATED when the attempt has ended in another way; RUN_MOVED, STORE_UNAVAILABLE.
   */
  answer(token: string, outcome: Outcome): Promise<void>;
}
