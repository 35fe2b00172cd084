/**
 * The caller of a forwarded call. The instance that received the call identified and authorized the caller; the other
 * instance trusts it, because it proves that it has a key that only instances on the same database have.
 *
 *   x-orchestrator-forwarded: <claims>.<mac>
 *   claims   base64url of JSON: tenant, name, time
 *   mac      base64url of HMAC-SHA256 over the path of the method and the claims
 *
 * The proof is valid for one method and one minute. It does not cover the request itself: anyone who can read the
 * traffic between instances can read the requests too, so that traffic belongs on a private network.
 */
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { toError } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import type { Identify, Identity } from "../calls/identity.ts";

/** Metadata key of a forwarded call. */
export const FORWARDED_KEY = "x-orchestrator-forwarded";

/** Validity of a proof, milliseconds. Also the tolerated clock difference between instances, in both directions. */
const VALID_MS = 60_000;

/** Signs and verifies the callers of forwarded calls. */
export interface ForwardedCallers {
  /** Metadata for a call to `path` on behalf of `caller`. */
  sign(caller: Caller, path: string): Readonly<Record<string, string>>;
  /** Accepts forwarded callers; `others` identifies the rest. Error for an invalid proof: CALLER_UNVERIFIED. */
  identify(others: Identify): Identify;
}

/** Creates proofs from a key that only instances on the same database share. */
export function createForwardedCallers(sharedKey: Uint8Array, clock: SharedClock): ForwardedCallers {
  // A derived key, so that signatures for other uses of the shared key are not valid here.
  const key = createSecretKey(createHmac("sha256", sharedKey).update("orchestrator.forwarded-caller.v1").digest());
  const macOf = (path: string, claims: string): Buffer =>
    createHmac("sha256", key).update(`${path}\n${claims}`).digest();

  const verify = (proof: unknown, path: string): Identity => {
    const [claims = "", mac = "", ...rest] = String(proof).split(".");
    const given = Buffer.from(mac, "base64url");
    const expected = macOf(path, claims);
    if (rest.length > 0 || given.length !== expected.length || !timingSafeEqual(given, expected))
      throw toError("CALLER_UNVERIFIED", { problem: "it was not made by an instance of this service for this method" });
    const [tenantId, actor, at] = JSON.parse(Buffer.from(claims, "base64url").toString("utf8"));
    if (Math.abs(clock.now() - at) > VALID_MS)
      throw toError("CALLER_UNVERIFIED", { problem: "it was made more than a minute ago" });
    return { caller: { tenantId, actor }, scopes: null, forwarded: true };
  };

  return {
    sign({ tenantId, actor }, path) {
      const claims = Buffer.from(JSON.stringify([tenantId, actor, clock.now()]), "utf8").toString("base64url");
      return { [FORWARDED_KEY]: `${claims}.${macOf(path, claims).toString("base64url")}` };
    },
    identify: (others) => (headers, method) => {
      const proof = headers.get(FORWARDED_KEY);
      return proof === undefined || proof === null ? others(headers, method) : verify(proof, method.path);
    },
  };
}
