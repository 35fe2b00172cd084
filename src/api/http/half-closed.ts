/**
 * Callers that close their half of the connection after their request (`nc -N`, some proxies). They still read, so they
 * get their response. A caller that is gone looks the same until something is sent to it; then its system resets the
 * connection.
 *
 *   half closed → answered within a second → the response shows whether the caller is there
 *               → still unanswered: interim responses (100) sent → accepted: keep waiting, probe again later
 *                                                              → reset: the connection closes, and the call with it
 *
 * Streams that have begun need no probe: their heartbeats have the same effect.
 */
import type { Socket } from "node:net";
import { lastResponse } from "./connection-responses.ts";

/**
 * When a waiting half-closed caller is probed, milliseconds. If the caller is gone, the first write causes a reset, and
 * the second one detects it.
 */
const PROBES_MS = [1_000, 1_250] as const;
/** Interval of further probes, milliseconds. */
const PROBE_AGAIN_MS = 15_000;

/** Detects whether a half-closed caller is still there while it waits for a response. */
export function watchHalfClosed(socket: Socket): void {
  socket.once("end", () => {
    const probe = (): void => {
      const response = lastResponse(socket);
      // HTTP/1.0 has no interim responses.
      if (response === undefined || response.headersSent || response.req.httpVersion === "1.0") return;
      response.writeContinue();
    };
    const first = PROBES_MS.map((ms) => setTimeout(probe, ms).unref());
    const again = setInterval(probe, PROBE_AGAIN_MS).unref();
    socket.once("close", () => {
      for (const timer of first) clearTimeout(timer);
      clearInterval(again);
    });
  });
}
