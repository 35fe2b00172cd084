/** The services that this instance knows, as callers of the service see them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../base/time/clock.ts";
import type {
  PutService,
  RegistryView,
  ServiceCatalogue,
  ServiceTarget,
  ServiceView,
} from "../../engine/ports/routing/services.ts";
import type { Contacts } from "../services/contacts.ts";
import { joinDirectories, type NamedService, type ServiceDirectory } from "../services/directory.ts";
import type { Registry } from "../services/registry.ts";
import type { AddressPolicy } from "./address-policy.ts";
import { RequestRefused } from "./http-request.ts";
import { probeService } from "./probe.ts";
import { urlAt } from "./service-url.ts";

export interface CatalogueOptions {
  /** Of each source, in the order in which they are asked. */
  readonly directories: readonly ServiceDirectory[];
  /** The row of a service that a call put. */
  readonly putOf?: (tenantId: string, name: string) => PutService | null;
  /** Null: no registry is read. */
  readonly registry: { readonly url: string; readonly reader: Registry } | null;
  readonly contacts: Contacts;
  /** How long a contact says something about a service, milliseconds. */
  readonly freshMs: number;
  /** Which addresses a service may have, by its source. */
  readonly policies: Readonly<Record<NamedService["source"], AddressPolicy>>;
  readonly clock: Clock;
}

/** How long a list waits for all probes, milliseconds. */
const PROBE_MS = 1_000;
/** Probes at once. */
const MAX_PROBES = 50;

/** Creates the catalogue. */
export function createServiceCatalogue(options: CatalogueOptions): ServiceCatalogue {
  const { directories, putOf = () => null, registry, contacts, freshMs, policies, clock } = options;
  const directory = joinDirectories(directories);

  const isFresh = (service: NamedService): boolean => clock.now() - (contacts.of(service)?.at ?? 0) <= freshMs;

  const probe = async (service: NamedService): Promise<void> =>
    contacts.note(service, await probeService(service, policies[service.source]));

  /** The first second of the round of probes that is under way. */
  let round: Promise<void> | null = null;
  /** Probes services, a few at a time, unless that is under way. Resolves after a second of it: the rest goes on. */
  const probeAll = (services: readonly NamedService[]): Promise<void> => {
    if (round !== null) return round;
    const all = async (): Promise<void> => {
      for (let at = 0; at < services.length; at += MAX_PROBES)
        await Promise.all(services.slice(at, at + MAX_PROBES).map(probe));
      round = null;
    };
    round = Promise.race([all(), sleep(PROBE_MS, undefined, { ref: false })]);
    return round;
  };

  const viewOf = (service: NamedService, tenantId: string, hidden: boolean): ServiceView => {
    const { name, baseUrl, source, entry, headerNames } = service;
    const contact = contacts.of(service);
    return {
      ...{ name, url: toText(baseUrl), source, entry, headerNames, hidden },
      put: source === "call" ? putOf(tenantId, name) : null,
      reachable: contact?.answered === true && isFresh(service),
      lastCallAt: contact?.at ?? null,
    };
  };

  /** Of all sources: the one that is called comes first. */
  const entriesOf = (tenantId: string, name: string): readonly NamedService[] =>
    directories.flatMap((one) => one.find(name, tenantId) ?? []);

  const viewsOf = (tenantId: string, name: string): readonly ServiceView[] =>
    entriesOf(tenantId, name).map((service, index) => viewOf(service, tenantId, index > 0));

  return {
    begin: async () => registry?.reader.begin(),
    resolve(tenantId, name, path): ServiceTarget {
      const service = directory.find(name, tenantId);
      if (service === null) {
        const status = registry?.reader.status();
        return status?.state === "unavailable"
          ? { kind: "unavailable", url: registry?.url ?? "", problem: status.problem }
          : { kind: "unknown", names: directory.names(tenantId) };
      }
      try {
        return { kind: "known", url: urlAt(service, path).href };
      } catch (error) {
        if (error instanceof RequestRefused) return { kind: "refused", problem: error.message };
        throw error;
      }
    },
    async list(tenantId) {
      const names = directory.names(tenantId).toSorted();
      const old = names.flatMap((name) => entriesOf(tenantId, name)).filter((service) => !isFresh(service));
      if (old.length > 0) await probeAll(old);
      return names.flatMap((name) => viewsOf(tenantId, name));
    },
    view: viewsOf,
    registry(): RegistryView | null {
      if (registry === null) return null;
      const { services: _, ...status } = registry.reader.status();
      const ageMs = status.syncedAt === null ? null : Math.max(0, clock.now() - status.syncedAt);
      return { url: registry.url, ageMs, ...status };
    },
  };
}

/** Without the slash that a URL of an origin alone ends with. */
function toText({ href }: URL): string {
  return href.replace(/\/$/, "");
}
