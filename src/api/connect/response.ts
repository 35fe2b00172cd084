/**
 * Answers of Connect and gRPC-Web on their way out. The library has a function for this as well, but that one waits for
 * a reader who does not read without a bound, and with him waits the watch behind the answer.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createContextKey } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Call } from "../calls/call.ts";
import { breakOffUnread, waitForReader } from "../streams/slow-reader.ts";

/** The streaming call behind an answer, and the place that its reader has reached. */
export interface CurrentCall {
  call: Call | null;
  cursor: string;
  /** Sends the headers of a stream that has begun; its first message may be far away, and the library waits for it. */
  readonly open: (header: Headers) => void;
}

/** Where handlers of streams put their call. */
export const callInHand = createContextKey<CurrentCall>({ call: null, cursor: "", open: () => undefined });

/** Sends an answer; resolves when all of it was handed over. Readers of streams have `slowMs` to take something. */
export async function sendResponse(
  { body, header, status, trailer }: UniversalServerResponse,
  response: ServerResponse,
  hand: CurrentCall,
  slowMs: number,
): Promise<void> {
  const chunks = body?.[Symbol.asyncIterator]();
  try {
    // Handlers may set headers until their first message.
    let chunk = await chunks?.next();
    if (!response.headersSent) response.writeHead(status, Object.fromEntries(new Headers(header)));
    while (chunks !== undefined && chunk !== undefined && chunk.done !== true && !response.destroyed) {
      if (!response.write(chunk.value)) {
        if (hand.call === null) await Promise.race([once(response, "drain"), once(response, "close")]);
        else await waitForReader(response, hand.call, slowMs, hand.cursor);
      }
      chunk = await chunks.next();
    }
    if (trailer !== undefined) response.addTrailers([...new Headers(trailer)]);
  } finally {
    // Nobody is left to tell about what a source says when it is put away.
    void chunks?.return?.().catch(() => undefined);
    response.end();
    breakOffUnread(response, slowMs, () => response.destroy());
  }
}
