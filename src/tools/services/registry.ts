/**
 * The registry: services that another service lists, read now and then.
 *
 *   not begun ──begin──→ the copy on disk is read ──→ sync ──→ a pause ──→ sync …
 *
 *   active       the newest sync has succeeded
 *   stale        it has not; the entries of the last one that did are served until they expire
 *   unavailable  they have expired, or there were none: no service of the registry is found
 *
 * A sync that succeeds replaces all entries and the copy on disk. An empty list after a full one counts as a failure
 * until the entries expire: a registry that has just started knows nobody yet.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../base/log.ts";
import { readBounded } from "../../base/net/bounded-body.ts";
import type { Clock } from "../../base/time/clock.ts";
import type { NamedService, ServiceDirectory } from "./directory.ts";
import type { RegistryCopy } from "./registry-copy.ts";
import { type ListedServices, readListed } from "./registry-list.ts";

/** Whether the registry can be relied on. */
export type RegistryState = "active" | "stale" | "unavailable";

/** What the registry is like at the moment. Times are milliseconds since the epoch. */
export interface RegistryStatus {
  readonly state: RegistryState;
  /** Where the entries that are served came from. */
  readonly servedFrom: "registry" | "disk" | "none";
  readonly services: readonly NamedService[];
  readonly syncs: { readonly succeeded: number; readonly failed: number };
  /** End of the newest sync that succeeded, also one before a restart; null: there was none. */
  readonly syncedAt: number | null;
  readonly lastSyncMs: number | null;
  /** Why the newest sync failed; empty: it did not. */
  readonly problem: string;
  /** Entries of the newest list that cannot be used. */
  readonly skipped: number;
}

export interface Registry extends Required<ServiceDirectory> {
  find(name: string): NamedService | null;
  names(): readonly string[];
  /** Starts to sync, unless that has begun. Resolves when the first sync has ended, and never rejects. */
  begin(): Promise<void>;
  status(): RegistryStatus;
  /** Ends it with the sync under way. */
  stop(): Promise<void>;
}

export interface RegistryOptions {
  readonly url: string;
  /** Paths of the list: the first one that is not 404 counts. */
  readonly paths: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Age at which entries are not served any more. */
  readonly expiryMs: number;
  readonly copy: RegistryCopy;
  readonly clock: Clock;
  readonly log: Log;
}

/** Entries and where they came from. */
interface Taken {
  readonly services: ReadonlyMap<string, NamedService>;
  readonly at: number;
  readonly from: "registry" | "disk";
}

/** Largest list that is read, bytes. */
const MAX_BYTES = 4 * 1_024 * 1_024;

/** Creates the registry. Nothing is read before it begins. */
export function createRegistry(options: RegistryOptions): Registry {
  const { expiryMs, intervalMs, clock, copy, log } = options;
  const stopping = new AbortController();
  let taken: Taken | null = null;
  let problem = "no sync has ended yet";
  let failed = 0;
  let succeeded = 0;
  let lastSyncMs: number | null = null;
  let skipped = 0;
  let first: Promise<void> | null = null;
  let running: Promise<void> = Promise.resolve();

  const served = (): Taken | null => (taken !== null && clock.now() - taken.at <= expiryMs ? taken : null);

  const take = ({ services, skipped: unusable }: ListedServices, from: Taken["from"], at: number): void => {
    taken = { services: new Map(services.map((service) => [service.name, service])), at, from };
    skipped = unusable;
  };

  const readCopy = async (): Promise<void> => {
    const kept = await copy.read();
    if (kept === null) return;
    const listed = readListed(kept.list);
    if (listed !== null) take(listed, "disk", Math.min(kept.at, clock.now()));
  };

  const sync = async (): Promise<void> => {
    const began = clock.monotonic();
    try {
      const list = await fetchList(options, stopping.signal);
      const listed = readListed(list);
      if (listed === null) throw new Error("the answer is neither a list of services nor has it one as droplets");
      if (listed.services.length === 0 && (served()?.services.size ?? 0) > 0)
        throw new Error("the list is empty; the services that were known are kept until they expire");
      take(listed, "registry", clock.now());
      succeeded += 1;
      if (problem !== "") log.info("the registry of services is read", { services: listed.services.length });
      if (listed.skipped > 0) log.warn("entries of the registry cannot be used", { skipped: listed.skipped });
      problem = "";
      await copy.write(list, clock.now());
    } catch (error) {
      if (stopping.signal.aborted) return;
      failed += 1;
      const reason = reasonOf(error);
      if (problem !== reason) log.warn("the registry of services cannot be read; it is tried again", { reason });
      problem = reason;
    } finally {
      lastSyncMs = clock.monotonic() - began;
    }
  };

  const repeat = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      // A stop ends the pause.
      await sleep(intervalMs, undefined, { signal: stopping.signal }).catch(() => {});
      if (!stopping.signal.aborted) await sync();
    }
  };

  const begin = (): Promise<void> => {
    if (first === null) {
      first = readCopy().then(sync);
      running = first.then(repeat);
    }
    return first;
  };

  return {
    find: (name) => served()?.services.get(name) ?? null,
    names: () => [...(served()?.services.keys() ?? [])],
    begin,
    settle: () => first ?? Promise.resolve(),
    status() {
      const now = served();
      return {
        state: now === null ? "unavailable" : problem === "" ? "active" : "stale",
        servedFrom: now?.from ?? "none",
        services: [...(now?.services.values() ?? [])],
        syncs: { succeeded, failed },
        syncedAt: taken?.at ?? null,
        ...{ lastSyncMs, problem, skipped },
      };
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** The list as JSON. Rejects when no path gives one in time. */
async function fetchList(
  { url, paths, timeoutMs }: Pick<RegistryOptions, "url" | "paths" | "timeoutMs">,
  stopping: AbortSignal,
): Promise<unknown> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)]);
  for (const path of paths) {
    const place = url.replace(/(?<!\/)\/+$/, "") + path;
    const response = await fetch(place, { signal, headers: { accept: "application/json" }, redirect: "error" });
    if (response.status === 404) {
      await response.body?.cancel();
      continue;
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`GET ${place} answered ${response.status}`);
    }
    const text = await readBounded(response, MAX_BYTES);
    if (text === null) throw new Error(`the list has more than ${MAX_BYTES} bytes`);
    return JSON.parse(text) as unknown;
  }
  throw new Error(`${paths.map((path) => `GET ${path}`).join(" and ")} answered 404`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it did not answer in time";
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.message === "" ? ((cause as NodeJS.ErrnoException).code ?? cause.name) : cause.message;
}
