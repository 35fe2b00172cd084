/** Services that are called by name, as callers see them, and those that calls put. */
import type { JsonObject } from "../../../base/json/json.ts";
import type { Caller } from "../caller.ts";

/** Who says where a service is: the first of these that names it. */
export type ServiceSource = "configuration" | "call" | "registry";

/** What a call said of a service. */
export interface PutService {
  readonly tenantId: string;
  readonly name: string;
  /** As an entry of the configuration, without headers. */
  readonly entry: JsonObject;
  /** Another one after each change, also when the service was deleted meanwhile. */
  readonly revision: string;
  readonly by: string;
  readonly why: string;
  /** Milliseconds since the epoch. */
  readonly updatedAt: number;
}

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
  readonly source: ServiceSource;
  /** What its source says of it, without headers, as the configuration writes it. */
  readonly entry: JsonObject;
  readonly headerNames: readonly string[];
  /** Whether calls use the entry of another source. */
  readonly hidden: boolean;
  /** Null: a call did not put it. */
  readonly put: PutService | null;
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
  resolve(tenantId: string, service: string, path: string): ServiceTarget;
  /**
   * All services by name, hidden ones after the one that hides them. Those that were not called lately are probed
   * first.
   */
  list(tenantId: string): Promise<readonly ServiceView[]>;
  /** Those with a name, as they are listed. Nothing is probed. */
  view(tenantId: string, name: string): readonly ServiceView[];
  /** Null: no registry is read. */
  registry(): RegistryView | null;
}

/** Services that calls put, in the store. A revision that is null stands for any, an empty one for none. */
export interface PutServiceStore {
  /** Those of all tenants. */
  list(): Promise<readonly PutService[]>;
  /** Errors: SERVICE_CHANGED, TOO_MANY_SERVICES. */
  put(
    service: Omit<PutService, "revision" | "updatedAt">,
    revision: string | null,
  ): Promise<{ readonly service: PutService; readonly created: boolean }>;
  /** Returns whether it was there. Error: SERVICE_CHANGED. */
  delete(tenantId: string, name: string, revision: string | null): Promise<boolean>;
  /** Calls `listener` whenever something may have changed. */
  listen(listener: () => void): () => Promise<void>;
}

/** Calls of operators. A change is durable when they resolve, and holds at every instance within a second. */
export interface PutServices {
  /** `etag`: that of the entry to replace, `new`, or empty for any. Errors: INVALID_REQUEST and those of the store. */
  put(
    caller: Caller,
    name: string,
    entry: JsonObject,
    etag: string,
    why: string,
  ): Promise<{ readonly service: PutService; readonly created: boolean }>;
  /** Returns whether it was there. Error: SERVICE_CHANGED. */
  delete(caller: Caller, name: string, etag: string, why: string): Promise<boolean>;
}

/** Limits of services. */
export interface ServiceLimits {
  /** Name of the limit under which every call of a service begins, whose key is empty; null: none. Quick. */
  limitOf(tenantId: string, service: string): string | null;
}
