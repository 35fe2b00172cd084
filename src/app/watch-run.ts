import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../api/client.ts";
import { isOrchestratorError } from "../base/errors.ts";
import { RunService, type WatchRunResponse } from "../gen/orchestrator/v1/run_service_pb.ts";

/** How long a watch tries to get its stream back, milliseconds. */
const PATIENCE_MS = 60_000;

/** Options of {@link watchRun}. */
export interface WatchRunOptions {
  readonly signal?: AbortSignal;
  /** Told when the stream broke and is asked for again. */
  readonly onInterrupted?: (problem: string) => void;
}

/**
 * Frames of a run until it ends, across restarts of the service and cuts of the stream: it goes on right after the last frame. Errors: those of WatchRun that
 * waiting does not cure, and the last one when the service stayed away for a minute.
 */
export async function* watchRun(
  client: ApiClient,
  runId: string,
  options: WatchRunOptions = {},
): AsyncGenerator<WatchRunResponse> {
  let cursor = "";
  let lastFrameAt = performance.now();
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
    try {
      const frames = client.stream(RunService.method.watchRun, { runId, cursor }, options);
      for await (const message of frames) {
        const { frame } = message;
        lastFrameAt = performance.now();
        pauseMs = 100;
        // A snapshot in parts is only complete with its last one: until then it begins again.
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
      if (!isCut || performance.now() - lastFrameAt > PATIENCE_MS) throw error;
      options.onInterrupted?.(error.message);
    }
    await sleep(pauseMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => {
      // The watch was given up; the next round sees that.
    });
  }
}
