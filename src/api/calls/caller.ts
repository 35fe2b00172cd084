/**
 * Who calls. Without authentication every caller belongs to the tenant `default` and names itself in the header or
 * metadata key `x-orchestrator-actor`. The name is not verified; it shows people who paused, decided, or canceled
 * something.
 */
import { refuseField } from "../../base/field-error.ts";
import { type Caller, DEFAULT_TENANT } from "../../engine/ports/caller.ts";

/** Header or metadata key for the name of the caller: 1 to 128 characters in percent-encoded UTF-8, so `%` is `%25`. */
export const ACTOR_KEY = "x-orchestrator-actor";

/** In characters. */
const MAX_ACTOR_LENGTH = 128;

/** The name under which the service itself acts. */
const OWN_NAME = "orchestrator";

/** Headers or metadata of a call. */
export interface CallHeaders {
  get(name: string): string | readonly string[] | null | undefined;
}

/** A caller without a name. */
export const ANYBODY: Caller = { tenantId: DEFAULT_TENANT, actor: "" };

/** The caller that the headers name. Error: INVALID_REQUEST for an unacceptable name. */
export function readCaller(headers: CallHeaders): Caller {
  const given = headers.get(ACTOR_KEY);
  if (given === undefined || given === null || given === "") return ANYBODY;
  const problem = "must be one name in percent-encoded UTF-8";
  if (typeof given !== "string" || !/^[\x20-\x7e]*$/.test(given)) return refuseField(ACTOR_KEY, problem);
  let actor: string;
  try {
    actor = decodeURIComponent(given).trim();
  } catch {
    return refuseField(ACTOR_KEY, problem); // malformed percent-encoding
  }
  if (actor === "" || [...actor].length > MAX_ACTOR_LENGTH)
    refuseField(ACTOR_KEY, `must have 1 to ${MAX_ACTOR_LENGTH} characters`);
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(actor))
    refuseField(ACTOR_KEY, "must not contain control or formatting characters");
  if (actor === OWN_NAME) refuseField(ACTOR_KEY, `"${OWN_NAME}" is the name of the service itself`);
  return { ...ANYBODY, actor };
}

/** Encodes a name for use in a header. */
export function encodeActor(actor: string): string {
  return encodeURIComponent(actor.toWellFormed());
}
