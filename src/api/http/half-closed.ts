/**
 * Callers that close their half of a connection after their request (`nc -N`, some proxies). They still read, so they
 * get their answer. A caller that has gone altogether looks the same from here until something is sent to it; then its
 * system resets the connection.
 *
 *   half closed → answered within a second                              → the answer shows whether anybody is there
 *               → still unanswered: interim answers (100) are sent → taken: wait on, and ask again later
 *                                                                    → reset: the connection closes, and the call with it
 *
 * Streams need no such probe once they have begun: their heartbeats are one.
 */
import type { Socket } from "node:net";
import { lastResponse } from "./connection-responses.ts";

/**
 * When a half-closed caller that waits is probed, milliseconds. The first write to a caller that has gone earns a
 * reset; only the second meets it.
 */
const PROBES_MS = [1_000, 1_250] as const;
/** Time between further probes, milliseconds. */
const PROBE_AGAIN_MS = 15_000;

/** Finds out whether a caller that has closed its half is still there, as long as it waits for an answer. */
export function watchHalfClosed(socket: Socket): void {
  socket.once("end", () => {
    const probe = (): void => {
      const response = lastResponse(socket);
      // Callers of HTTP/1.0 know no interim answers.
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
