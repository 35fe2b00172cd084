/** Decompresses messages and bodies, with one limit on the result for all protocols. */
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { type OrchestratorError, toError } from "../base/errors.ts";

type Expand = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;

const EXPANDERS: Readonly<Record<string, Expand>> = {
  gzip: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip),
  deflate: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate),
};

/** Supported encodings, as in `accept-encoding`. */
export const REQUEST_ENCODINGS = Object.keys(EXPANDERS).join(", ");

/** Whether a header names an encoding other than `identity`. */
export function isEncoded(encoding: string): boolean {
  return encoding !== "" && encoding !== "identity";
}

/** Checks the encoding of a request, used or not. Error: PROTOCOL_UNSUPPORTED. */
export function checkEncoding(encoding: string): void {
  if (isEncoded(encoding)) findExpander(encoding);
}

function findExpander(encoding: string): Expand {
  const name = encoding.trim().toLowerCase();
  const known = Object.hasOwn(EXPANDERS, name) ? EXPANDERS[name] : undefined;
  if (known !== undefined) return known;
  throw toError("PROTOCOL_UNSUPPORTED", {
    problem: `the encoding ${JSON.stringify(encoding.slice(0, 40))} is not supported; send the request uncompressed or as ${REQUEST_ENCODINGS}`,
  });
}

/**
 * Decompresses bytes. Errors: PROTOCOL_UNSUPPORTED for an unsupported encoding, REQUEST_MALFORMED, MESSAGE_TOO_LARGE.
 */
export async function expand(bytes: Uint8Array, encoding: string, maxBytes: number): Promise<Buffer> {
  const name = encoding.trim().toLowerCase();
  const expandAll = findExpander(encoding);
  try {
    return await expandAll(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge("request", maxBytes, cause);
    throw toError("REQUEST_MALFORMED", { problem: `the request cannot be expanded by ${name}` }, { cause });
  }
}

/** MESSAGE_TOO_LARGE for a request or a response. */
export function tooLarge(direction: "request" | "response", limit: number, cause?: unknown): OrchestratorError {
  return toError("MESSAGE_TOO_LARGE", { direction, limit }, cause === undefined ? {} : { cause });
}
