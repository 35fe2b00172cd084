import type { Log } from "../../base/log.ts";
import type { ConnectionState } from "../../base/net/connection-state.ts";
import type { Metrics } from "../../telemetry/metrics/metrics.ts";
import { NO_METRICS } from "../../telemetry/metrics/no-metrics.ts";

/** The owner of this shard counts what is in the whole database. */
export const COUNTING_SHARD = 0;

/** The open parts of a service. */
export interface Parts {
  /** Registers the function that closes a part that has just been opened. */
  onClose(close: () => unknown): void;
  /**
   * Closes the parts, last one first. A part that fails to close is logged, and the others are still closed. Safe to
   * call more than once.
   */
  close(): Promise<void>;
  /** A part tells whether what it needs outside answers; null: it is not used. For probes and metrics. */
  reports(name: string, read: () => ConnectionState | null): void;
  /** What the parts tell, by name. */
  readonly connections: Connections;
  /** Each part counts in metrics of its own, and sets its gauges before they are read. */
  readonly metrics: Metrics;
}

/** Whether what the parts need outside answers, by name: `postgres`, `kafka`, `redis`. */
export type Connections = ReadonlyMap<string, () => ConnectionState | null>;

/** Creates an empty list of parts. */
export function createParts(log: Log, metrics = NO_METRICS): Parts {
  const open = new AsyncDisposableStack();
  const connections = new Map<string, () => ConnectionState | null>();
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
    reports: (name, read) => void connections.set(name, read),
    connections,
    metrics,
  };
}
