/** Compressed messages and bodies, with one limit for what comes out of them, whichever protocol they came by. */
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { type OrchestratorError, toError } from "../base/errors.ts";

type Expand = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;

const EXPANDERS: Readonly<Record<string, Expand>> = {
  gzip: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip),
  deflate: promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate),
};

/** Encodings that are read, as `accept-encoding` lists them. */
export const REQUEST_ENCODINGS = Object.keys(EXPANDERS).join(", ");

/** Whether a header names an encoding at all. */
export function isEncoded(encoding: string): boolean {
  return encoding !== "" && encoding !== "identity";
}

/**
 * Checks the encoding that a request names, whether or not it uses it. Error: PROTOCOL_UNSUPPORTED for one that is not
 * read.
 */
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
 * Expands bytes by a named encoding. Errors: PROTOCOL_UNSUPPORTED for an encoding that is not read, REQUEST_MALFORMED,
 * MESSAGE_TOO_LARGE.
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

/** MESSAGE_TOO_LARGE, for what came from the caller or what would go to it. */
export function tooLarge(direction: "request" | "response", limit: number, cause?: unknown): OrchestratorError {
  return toError("MESSAGE_TOO_LARGE", { direction, limit }, cause === undefined ? {} : { cause });
}
