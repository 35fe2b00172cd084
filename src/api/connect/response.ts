/**
 * Sends Connect and gRPC-Web responses. The equivalent function of the library waits without a limit for a reader that
 * does not read, and keeps its watch open that long.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createContextKey } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { Call } from "../calls/call.ts";
import { breakOffUnread, waitForReader } from "../streams/slow-reader.ts";

/** The streaming call behind a response, and the position that its reader has reached. */
export interface CurrentCall {
  call: Call | null;
  cursor: string;
  /** Sends the headers of a stream, because its first message can take long and the library waits for it. */
  readonly open: (header: Headers) => void;
  /** A call begins, unary or not. */
  readonly began: (call: Call) => void;
}

/** Context key for the call of a streaming handler. */
export const currentCall = createContextKey<CurrentCall>({
  ...{ call: null, cursor: "" },
  open: () => undefined,
  began: () => undefined,
});

/** Sends a response; resolves when all of it is written. The reader of a stream must read something every `slowMs`. */
export async function sendResponse(
  { body, header, status, trailer }: UniversalServerResponse,
  response: ServerResponse,
  current: CurrentCall,
  slowMs: number,
): Promise<void> {
  const chunks = body?.[Symbol.asyncIterator]();
  try {
    // Handlers can set headers until their first message.
    let chunk = await chunks?.next();
    if (!response.headersSent) response.writeHead(status, Object.fromEntries(new Headers(header)));
    while (chunks !== undefined && chunk !== undefined && chunk.done !== true && !response.destroyed) {
      if (!response.write(chunk.value)) {
        if (current.call === null) await Promise.race([once(response, "drain"), once(response, "close")]);
        else await waitForReader(response, current.call, slowMs, current.cursor);
      }
      chunk = await chunks.next();
    }
    if (trailer !== undefined) response.addTrailers([...new Headers(trailer)]);
  } finally {
    // The caller is gone, so an error from closing the source does not matter.
    void chunks?.return?.().catch(() => undefined);
    response.end();
    breakOffUnread(response, slowMs, () => response.destroy());
  }
}
