/**
 * The caller of a call that one instance sends on to another. The instance that took the call has identified and
 * authorized the caller; the other one takes its word, proved by a key that only instances on the same database have.
 *
 *   x-orchestrator-forwarded: <claims>.<mac>     claims: base64url of JSON; mac: base64url of HMAC-SHA256 over path and claims
 *
 * The proof holds for one method and for a minute. It says nothing about the request itself: who can read the traffic
 * between instances can read the requests too, so that traffic belongs on a private network.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { toError } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import type { Identify, Identity } from "../calls/identity.ts";

/** Metadata of a call that another instance sent on. */
export const FORWARDED_KEY = "x-orchestrator-forwarded";

/**
 * How long a proof holds, milliseconds. Instances may disagree a little about the time that they share, in both
 * directions.
 */
const VALID_MS = 60_000;

/** Proves to other instances who makes a call. */
export interface ForwardedCallers {
  /** The metadata of a call of `path` in the name of `caller`. */
  sign(caller: Caller, path: string): Readonly<Record<string, string>>;
  /**
   * Takes the word of other instances; everybody else is identified by `others`. Error of a proof that does not hold:
   * CALLER_UNVERIFIED.
   */
  identify(others: Identify): Identify;
}

/** Proofs under a key that all instances share and nobody else has. */
export function createForwardedCallers(sharedKey: Uint8Array, clock: SharedClock): ForwardedCallers {
  // The shared key has other uses; a key of its own keeps what is signed for one from being taken for another.
  const key = createHmac("sha256", sharedKey).update("orchestrator.forwarded-caller.v1").digest();
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
