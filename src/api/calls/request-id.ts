/** Request ids: `x-request-id` of a request is returned in the RequestInfo of errors and appears in the log. */
import { randomUUID } from "node:crypto";

/** Accepted ids: 1 to 128 printable ASCII characters without spaces. */
const ACCEPTABLE = /^[\x21-\x7e]{1,128}$/;

/**
 * The id from the header, or a generated one if it is missing or not acceptable. For a list, as in gRPC metadata, the
 * first value counts.
 */
export function toRequestId(header: unknown): string {
  const given: unknown = Array.isArray(header) ? header[0] : header;
  return typeof given === "string" && ACCEPTABLE.test(given) ? given : randomUUID();
}
