/** Who calls. Until there are credentials every caller is the tenant `default` without a name; nothing in the metadata changes that. */
import type { Caller } from "../engine/port.ts";

/** Headers or metadata of a call. */
export interface CallHeaders {
  get(name: string): unknown;
}

/** Finds out who calls. */
export type Identify = (headers: CallHeaders) => Caller;

const ANYBODY: Caller = { tenantId: "default", actor: "" };

/** Identifies everybody as the tenant `default`. */
export const identifyAnybody: Identify = () => ANYBODY;
