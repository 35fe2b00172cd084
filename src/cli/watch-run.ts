import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../api/client/client.ts";
import { isOrchestratorError } from "../base/errors.ts";
import { RunService, type WatchRunResponse } from "../gen/orchestrator/v1/run_service_pb.ts";

/** How long a watch tries to reconnect, milliseconds. */
const PATIENCE_MS = 300_000;

/** The same before the first connection: the service is not running, or the address is wrong. */
const FIRST_PATIENCE_MS = 5_000;

/** Time between remarks about one outage, milliseconds. */
const REMARK_MS = 60_000;

/** Longest pause between attempts, milliseconds. */
const MAX_PAUSE_MS = 5_000;

export interface WatchRunOptions {
  /** Whether to have the progress and the log lines of attempts, too. */
  readonly includeEphemeral?: boolean;
  readonly signal?: AbortSignal;
  /** Called when the stream breaks and is reconnected: once per outage, then once a minute. */
  readonly onInterrupted?: (problem: string) => void;
}

/**
 * Frames of a run until it ends, across restarts of the service and broken streams, without a gap. Errors: permanent
 * ones of WatchRun, and the last one after five minutes without the service, or five seconds at the beginning.
 */
export async function* watchRun(
  client: ApiClient,
  runId: string,
  options: WatchRunOptions = {},
): AsyncGenerator<WatchRunResponse> {
  const { includeEphemeral = false } = options;
  let cursor = "";
  let lastFrameAt = performance.now();
  let saidAt = Number.NEGATIVE_INFINITY;
  let patienceMs = FIRST_PATIENCE_MS;
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    try {
      const frames = client.stream(RunService.method.watchRun, { runId, cursor, includeEphemeral }, options);
      for await (const message of frames) {
        const { frame } = message;
        lastFrameAt = performance.now();
        pauseMs = 100;
        patienceMs = PATIENCE_MS;
        saidAt = Number.NEGATIVE_INFINITY;
        // A snapshot in parts is complete only with the last one: until then the watch starts over.
        const isPart = frame.case === "snapshot" && frame.value.continued;
        if (frame.case !== undefined && frame.case !== "gap" && !isPart && frame.value.cursor !== "")
          cursor = frame.value.cursor;
        yield message;
        if (frame.case === "end") return;
      }
      if (options.signal?.aborted === true) return;
    } catch (error) {
      if (options.signal?.aborted === true) return;
      const isCut = isOrchestratorError(error) && (error.grpc === "UNAVAILABLE" || error.code === "WATCH_TOO_SLOW");
      if (!isCut || performance.now() - lastFrameAt > patienceMs) throw error;
      if (performance.now() - saidAt >= REMARK_MS) {
        saidAt = performance.now();
        options.onInterrupted?.(error.message);
      }
    }
    await sleep(pauseMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => {
      // The watch was canceled; the next iteration notices.
    });
  }
}
