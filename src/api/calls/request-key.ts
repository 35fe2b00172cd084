/**
 * Keys of calls: the request id with a hash of the body, which tells a repeated call from another call with the same
 * id.
 */
import { createHash } from "node:crypto";
import type { Json } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import type { RequestKey } from "../../engine/machine/events.ts";

/**
 * Key of a call that changes a run; undefined without a request id. `body` is the whole request with defaults filled
 * in.
 */
export function toRequestKey(
  method: string,
  requestId: string,
  body: Readonly<Record<string, unknown>>,
): RequestKey | undefined {
  return requestId === "" ? undefined : { id: requestId, hash: hashBody({ method, ...body }).slice(0, 32) };
}

/** SHA-256 of a request, 64 hexadecimal digits. */
export function hashBody(body: Readonly<Record<string, unknown>>): string {
  return createHash("sha256")
    .update(canonicalJson(body as unknown as Json))
    .digest("hex");
}
