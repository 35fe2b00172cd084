/** Reads bodies of HTTP/1.1 requests with limits on size and time. */
import type { IncomingMessage } from "node:http";
import { toError } from "../../base/errors.ts";
import type { BodyTime } from "../calls/call-timeout.ts";
import { checkEncoding, expand, isEncoded, tooLarge } from "../expand.ts";

/**
 * Reads the whole body, and decompresses it. Errors: MESSAGE_TOO_LARGE, that of `time` if it does not arrive in time,
 * REQUEST_CANCELLED if the caller disconnects, those of {@link expand}. The server discards the unread rest after the
 * response.
 */
export async function readBody(request: IncomingMessage, maxBytes: number, time: BodyTime): Promise<Buffer> {
  const bytes = await collect(request, maxBytes, time);
  const encoding = request.headers["content-encoding"] ?? "";
  if (!isEncoded(encoding)) return bytes;
  checkEncoding(encoding);
  return bytes.length === 0 ? bytes : expand(bytes, encoding, maxBytes);
}

function collect(request: IncomingMessage, maxBytes: number, time: BodyTime): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers["content-length"] ?? "0") > maxBytes) {
      reject(tooLarge("request", maxBytes));
      return;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (step: () => void): void => {
      clearTimeout(timer);
      request.off("data", take).off("end", end).off("close", leave);
      step();
    };
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > maxBytes) settle(() => reject(tooLarge("request", maxBytes)));
      else chunks.push(chunk);
    };
    const end = (): void => settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    const leave = (): void => settle(() => reject(toError("REQUEST_CANCELLED")));
    const timer = setTimeout(() => settle(() => reject(time.late())), time.ms);
    // `close` follows every error.
    request.on("error", () => undefined);
    request.on("data", take).on("end", end).on("close", leave);
  });
}
