/**
 * Upgrades of the instances on a database to another release. The schema is migrated by the first new instance; new
 * records are written only after the upgrade was finalized, and until then the release before can be started again.
 */
/** A living instance. */
export interface InstanceRelease {
  readonly instanceId: string;
  /** Its address, host:port. */
  readonly address: string;
  /** Empty: it is too old to say so. */
  readonly release: string;
  /** The newest version of the journal's format that it reads. */
  readonly reads: number;
}

/** The state of an upgrade. */
export interface UpgradeView {
  /** Number of migrations that were applied. */
  readonly schema: number;
  /** The fewest migrations that a release must know to start on this schema. */
  readonly minReader: number;
  /** The newest version of the journal's format that may be written. */
  readonly journal: number;
  /** The version that the newest living instance reads, and that a finalized upgrade may write. */
  readonly newest: number;
  /** Living instances by id. */
  readonly instances: readonly InstanceRelease[];
}

/** Shows and finalizes upgrades. */
export interface Upgrades {
  view(): Promise<UpgradeView>;
  /**
   * Allows what the newest living instance reads to be written, for good: releases that cannot read it do not start any
   * more. Finalizing once more changes nothing. Errors: UPGRADE_INCOMPLETE while an instance lives that cannot read it.
   */
  finalize(by: string): Promise<UpgradeView>;
}
