/** Services that are called by name, as callers see them. */

/** Where a call would go, or why it goes nowhere. */
export type ServiceTarget =
  | { readonly kind: "known"; readonly url: string }
  /** The path cannot be called. */
  | { readonly kind: "refused"; readonly problem: string }
  | { readonly kind: "unknown"; readonly names: readonly string[] }
  /** The registry might know it, but cannot be read. */
  | { readonly kind: "unavailable"; readonly url: string; readonly problem: string };

/** A service with a name. */
export interface ServiceView {
  readonly name: string;
  readonly url: string;
  readonly source: "configuration" | "registry";
  /** Whether it answered when it was last called or probed, not too long ago. */
  readonly reachable: boolean;
  /** When it was last called or probed, milliseconds; null: never. */
  readonly lastCallAt: number | null;
}

/** What is known of the registry. Times are milliseconds since the epoch, lengths milliseconds. */
export interface RegistryView {
  readonly url: string;
  readonly state: "active" | "stale" | "unavailable";
  /** Where the entries that are served came from. */
  readonly servedFrom: "registry" | "disk" | "none";
  readonly syncs: { readonly succeeded: number; readonly failed: number };
  /** End of the newest sync that succeeded; null: there was none. */
  readonly syncedAt: number | null;
  readonly lastSyncMs: number | null;
  readonly ageMs: number | null;
  /** Entries of the newest list that cannot be used. */
  readonly skipped: number;
  /** Why the newest sync failed; empty: it did not. */
  readonly problem: string;
}

/** The services that this instance knows. */
export interface ServiceCatalogue {
  /**
   * Starts to read the registry at its usual place, if none is configured. Resolves when its first sync has ended, and
   * never rejects.
   */
  begin(): Promise<void>;
  /** Where a call of a path at a service would go now. */
  resolve(service: string, path: string): ServiceTarget;
  /** All services by name. Those that were not called lately are probed first. */
  list(): Promise<readonly ServiceView[]>;
  /** Null: no registry is read. */
  registry(): RegistryView | null;
}
