/** Who makes a call. */

/** Who calls: every run and flow belongs to a tenant, and a foreign one does not exist for the caller. */
export interface Caller {
  readonly tenantId: string;
  /** Name of the caller for holds, approvals and endings; empty when unknown. */
  readonly actor: string;
}
