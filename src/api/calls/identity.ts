/**
 * Who makes a call, and whether it may: the first two steps of every call, whatever the protocol.
 *
 *   headers or metadata → identify (credential → identity) → authorize (identity, policy of the method)
 *
 * Protocol servers hand over what came; they neither read nor judge it. Identification may ask somebody else and take
 * time. It must not when there is no need: an identity that is returned at once, rather than by a promise, costs the
 * call nothing.
 */
import { fail } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import { ANYBODY, type CallHeaders, readCaller } from "./caller.ts";
import type { ServedMethod } from "./methods.ts";

/** Who makes a call. */
export interface Identity {
  readonly caller: Caller;
  /** Scopes that the credential grants; null: all of them. */
  readonly scopes: ReadonlySet<string> | null;
  /** Another instance has identified and authorized the caller, and sent the call on. It is not sent on again. */
  readonly forwarded: boolean;
}

/**
 * Finds out who makes a call of `method`. Errors are those of the credential. A promise must settle within seconds,
 * whatever it asks.
 */
export type Identify = (headers: CallHeaders, method: ServedMethod) => Identity | Promise<Identity>;

/** A caller without a name and without a credential. */
const NOBODY: Identity = { caller: ANYBODY, scopes: null, forwarded: false };

/**
 * Without credentials: the tenant `default` under the name that the caller gives, with all scopes. Error:
 * INVALID_REQUEST.
 */
export function identifyByName(headers: CallHeaders): Identity {
  const caller = readCaller(headers);
  return caller === ANYBODY ? NOBODY : { ...NOBODY, caller };
}

/** Refuses a call whose caller lacks the scopes of the policy. Error: SCOPE_MISSING. */
export function authorize({ scopes }: Identity, { policy, path }: ServedMethod): void {
  // The probes of other contracts have no policy: anybody may call them.
  if (scopes === null || policy === null || policy.anonymous) return;
  if (!policy.scopes.some((scope) => scopes.has(scope)))
    fail("SCOPE_MISSING", { method: path, scopes: policy.scopes.join(" or ") });
}
