/**
 * Keys of calls: the request id, and a hash of what the call asks for, by which a repetition is told from another call
 * with the same id.
 */
import { createHash } from "node:crypto";
import type { Json } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import type { RequestKey } from "../../engine/machine/events.ts";

/**
 * Key of a call that changes a run; undefined when it has no request id. `body` is all that it asks for, defaults
 * filled in.
 */
export function toRequestKey(
  method: string,
  requestId: string,
  body: Readonly<Record<string, unknown>>,
): RequestKey | undefined {
  return requestId === "" ? undefined : { id: requestId, hash: hashBody({ method, ...body }).slice(0, 32) };
}

/** SHA-256 of what a call asks for, 64 hexadecimal digits. */
export function hashBody(body: Readonly<Record<string, unknown>>): string {
  return createHash("sha256")
    .update(canonicalJson(body as unknown as Json))
    .digest("hex");
}
