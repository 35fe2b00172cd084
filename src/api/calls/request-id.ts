/** Ids of requests: what a caller sends as `x-request-id` comes back in RequestInfo of errors and stands in the log. */
import { randomUUID } from "node:crypto";

/** What is taken as an id: printable ASCII without spaces, at most 128 characters. */
const ACCEPTABLE = /^[\x21-\x7e]{1,128}$/;

/**
 * The id that the header gives, or a new one when there is none or it is not acceptable. Metadata of gRPC gives lists;
 * the first value counts.
 */
export function toRequestId(header: unknown): string {
  const given: unknown = Array.isArray(header) ? header[0] : header;
  return typeof given === "string" && ACCEPTABLE.test(given) ? given : randomUUID();
}
