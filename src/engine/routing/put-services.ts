/**
 * Services that calls put, at one instance. A change is durable first; then every instance reads the rows again. An
 * entry that this release cannot read is left out, and said once.
 */
import type { JsonObject } from "../../base/json/json.ts";
import type { Log } from "../../base/log.ts";
import type { PutService, PutServiceStore, PutServices } from "../ports/routing/services.ts";
import { followRows } from "./followed-rows.ts";

export interface PutServicesParts<Service> {
  readonly store: PutServiceStore;
  /** Makes of a row what is called. Throws INVALID_REQUEST for an entry that cannot be. */
  readonly read: (name: string, entry: JsonObject) => Service;
  /** Whether this instance would call it now. Throws INVALID_REQUEST. */
  readonly check: (service: Service) => void;
  readonly log: Log;
}

/** A service with the row behind it. */
export interface KnownService<Service> {
  readonly row: PutService;
  readonly service: Service;
}

/** Services of an instance. */
export interface OpenedServices<Service> {
  readonly control: PutServices;
  find(tenantId: string, name: string): KnownService<Service> | null;
  names(tenantId: string): readonly string[];
  /** Whether some tenant has a service of this name. */
  has(name: string): boolean;
  /** Resolves when the rows have been read again, whether or not that succeeded. */
  refresh(): Promise<void>;
  onChange(listener: () => void): void;
  /** Another number when a service may have changed. */
  version(): number;
  stop(): Promise<void>;
}

/** Follows the rows from now on. */
export async function openPutServices<Service>({
  store,
  read,
  check,
  log,
}: PutServicesParts<Service>): Promise<OpenedServices<Service>> {
  const listeners: (() => void)[] = [];
  let known = new Map<string, Map<string, KnownService<Service>>>();
  let unreadable: ReadonlySet<string> = new Set();
  let version = 0;

  const take = (rows: readonly PutService[]): void => {
    const next: typeof known = new Map();
    const broken = new Set<string>();
    for (const row of rows) {
      const { tenantId, name, entry, revision } = row;
      // What has not changed stays the same service.
      const before = known.get(tenantId)?.get(name);
      try {
        const service = before?.row.revision === revision ? before.service : read(name, entry);
        const own = next.get(tenantId) ?? new Map<string, KnownService<Service>>();
        next.set(tenantId, own.set(name, { row, service }));
      } catch (error) {
        broken.add(revision);
        if (!unreadable.has(revision)) log.warn("a service that was put cannot be read", { tenantId, name, error });
      }
    }
    [known, unreadable] = [next, broken];
    version += 1;
    for (const listener of listeners) listener();
  };
  const rows = await followRows(
    { what: "services", read: async () => take(await store.list()), listen: (heard) => store.listen(heard) },
    log,
  );

  const control: PutServices = {
    async put({ tenantId, actor: by }, name, entry, etag, why) {
      check(read(name, entry));
      const put = await store.put({ tenantId, name, entry, by, why }, revisionOf(etag));
      log.info("a service was put", { tenantId, service: name, entry, actor: by, reason: why });
      await rows.refresh();
      return put;
    },
    async delete({ tenantId, actor }, name, etag, why) {
      const wasThere = await store.delete(tenantId, name, revisionOf(etag));
      if (wasThere) log.info("a service was deleted", { tenantId, service: name, actor, reason: why });
      await rows.refresh();
      return wasThere;
    },
  };

  return {
    control,
    find: (tenantId, name) => known.get(tenantId)?.get(name) ?? null,
    names: (tenantId) => [...(known.get(tenantId)?.keys() ?? [])],
    has: (name) => [...known.values()].some((own) => own.has(name)),
    refresh: rows.refresh,
    onChange: (listener) => void listeners.push(listener),
    version: () => version,
    stop: rows.stop,
  };
}

/** Null: any; empty: none. */
function revisionOf(etag: string): string | null {
  return etag === "" ? null : etag === "new" ? "" : etag;
}
