import type { Log } from "../../base/log.ts";

/** The open parts of a service. */
export interface Parts {
  /** Registers the function that closes a part that has just been opened. */
  onClose(close: () => unknown): void;
  /**
   * Closes the parts, last one first. A part that fails to close is logged, and the others are still closed. Safe to
   * call more than once.
   */
  close(): Promise<void>;
}

/** Creates an empty list of parts. */
export function createParts(log: Log): Parts {
  const open = new AsyncDisposableStack();
  let closing: Promise<void> | null = null;
  return {
    onClose: (close) =>
      open.defer(async () => {
        try {
          await close();
        } catch (error) {
          log.warn("a part of the service did not close cleanly", { error });
        }
      }),
    close: () => (closing ??= open.disposeAsync()),
  };
}
