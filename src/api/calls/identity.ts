/**
 * Identification and authorization: the first two steps of every call, whatever the protocol.
 *
 *   headers or metadata → identify (credential → identity) → authorize (identity, policy of the method)
 *
 * Protocol servers pass on the headers without reading them. Identification may ask another service and return a
 * promise; when it does not need to, it returns the identity directly, which costs the call nothing.
 */
import { fail } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import { ANYBODY, type CallHeaders, readCaller } from "./caller.ts";
import type { ServedMethod } from "./methods.ts";

/** Identity of a caller. */
export interface Identity {
  readonly caller: Caller;
  /** Scopes granted by the credential; null means all. */
  readonly scopes: ReadonlySet<string> | null;
  /** Another instance identified and authorized the caller, then forwarded the call. It is not forwarded again. */
  readonly forwarded: boolean;
}

/** Identifies the caller of `method`. Its errors are those of the credential. A promise must settle within seconds. */
export type Identify = (headers: CallHeaders, method: ServedMethod) => Identity | Promise<Identity>;

/** A caller without name and credential. */
const NOBODY: Identity = { caller: ANYBODY, scopes: null, forwarded: false };

/**
 * Without authentication: the tenant `default`, the name that the caller gives, and all scopes. Error: INVALID_REQUEST.
 */
export function identifyByName(headers: CallHeaders): Identity {
  const caller = readCaller(headers);
  return caller === ANYBODY ? NOBODY : { ...NOBODY, caller };
}

/** Rejects a call whose caller lacks a scope that the policy requires. Error: SCOPE_MISSING. */
export function authorize({ scopes }: Identity, { policy, path }: ServedMethod): void {
  // Probes of other contracts have no policy: anyone may call them.
  if (scopes === null || policy === null || policy.anonymous) return;
  if (!policy.scopes.some((scope) => scopes.has(scope)))
    fail("SCOPE_MISSING", { method: path, scopes: policy.scopes.join(" or ") });
}
