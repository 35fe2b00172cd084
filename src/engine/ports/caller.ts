/** The identity behind a call. */

/** The tenant of callers that name none. */
export const DEFAULT_TENANT = "default";

/** The caller. Every run and flow belongs to a tenant, and one of another tenant does not exist for the caller. */
export interface Caller {
  readonly tenantId: string;
  /** Name of the caller for holds, approvals, and endings; empty when unknown. */
  readonly actor: string;
}
