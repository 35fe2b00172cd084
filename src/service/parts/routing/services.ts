/** Services that are called by name: those of the configuration, those that calls put, and those of a registry. */
import { accessSync, constants, existsSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, resolve } from "node:path";
import { refuseField } from "../../../base/field-error.ts";
import type { JsonObject } from "../../../base/json/json.ts";
import type { Log } from "../../../base/log.ts";
import type { Secrets } from "../../../base/secrets/secrets.ts";
import { systemClock } from "../../../base/time/clock.ts";
import { parseDurationMs } from "../../../base/time/duration.ts";
import { leadsToItself } from "../../../config/check.ts";
import { readServiceEntry, type ServiceEntry } from "../../../config/service-entries.ts";
import type { Config } from "../../../config/settings.ts";
import type { PutServiceStore, ServiceCatalogue, ServiceLimits } from "../../../engine/ports/routing/services.ts";
import { type OpenedServices, openPutServices } from "../../../engine/routing/put-services.ts";
import { ROUTE_FLOW } from "../../../flows/builtin/ids.ts";
import type { ServedServices } from "../../../flows/check/unserved.ts";
import { type AddressPolicy, createAddressPolicy, type HttpToolPolicy } from "../../../tools/http/address-policy.ts";
import { withServices } from "../../../tools/http/http.ts";
import { destinationOf } from "../../../tools/http/http-request.ts";
import { createServiceCatalogue } from "../../../tools/http/service-catalogue.ts";
import type { ServicePolicy } from "../../../tools/service-policy.ts";
import { type Contacts, createContacts } from "../../../tools/services/contacts.ts";
import {
  type ConfiguredService,
  createConfiguredServices,
  createNamedService,
  joinDirectories,
  type NamedService,
  type ServiceDirectory,
} from "../../../tools/services/directory.ts";
import { createRegistry, type Registry } from "../../../tools/services/registry.ts";
import { createRegistryCopy } from "../../../tools/services/registry-copy.ts";
import type { Parts } from "../parts.ts";

/** Where the list of a registry is: the first of these that is not 404. */
const REGISTRY_PATHS = ["/droplets", "/registry"];

/** Where the copy of the registry has its place on a machine of the older product. */
const USUAL_CACHE_FOLDER = "/var/cache/fpai";

/** Where the registry of the older product is, if nobody says otherwise. */
const USUAL_REGISTRY = "http://localhost:8000";

/** Services by name. */
export interface Services extends ServiceLimits {
  readonly directory: ServiceDirectory;
  readonly put: OpenedServices<NamedService>;
  /** Those that flows may name when they are registered; null: any, since those of a registry come and go. */
  readonly served: ServedServices | null;
  readonly contacts: Contacts;
  readonly catalogue: ServiceCatalogue;
}

/**
 * Creates the directory of services. A registry that is configured is read from now on, and the start does not wait for
 * it; the one at the usual place is read once somebody asks for services.
 */
export async function openServices(
  config: Config,
  { store, secrets }: { readonly store: PutServiceStore; readonly secrets: Secrets },
  log: Log,
  parts: Parts,
): Promise<Services> {
  const own = createConfiguredServices(
    Object.fromEntries(Object.entries(config.routing.services).map(([name, entry]) => [name, toConfigured(entry)])),
    secrets,
  );
  const callPolicy = createAddressPolicy(callPolicyOf(config));
  const put = await openPutServices({
    store,
    read: (name, entry) => readPutService(name, entry, config, secrets),
    check: ({ baseUrl }) => checkAddress(baseUrl, callPolicy),
    log,
  });
  parts.onClose(() => put.stop());
  const registry = openRegistry(config, log, parts);
  const sources = [own, toDirectory(put), ...(registry === null ? [] : [readWhenAsked(config, registry.reader)])];
  const directory = joinDirectories(sources);
  if (config.routing.registryUrl !== undefined) void registry?.reader.begin();
  const contacts = createContacts(systemClock);
  const policies = {
    configuration: createAddressPolicy(withServices({ allowPrivate: false, allow: [] }, own)),
    call: callPolicy,
    registry: createAddressPolicy(registryPolicyOf(config)),
  };
  const freshMs = 2 * config.routing.registrySyncInterval;
  const catalogue = createServiceCatalogue({
    ...{ directories: sources, registry, contacts, freshMs, policies, clock: systemClock },
    putOf: (tenantId, name) => put.find(tenantId, name)?.row ?? null,
  });
  const limitOf = (tenantId: string, name: string) => directory.find(name, tenantId)?.limit ?? null;
  return { directory, put, served: servedBy(config, put), contacts, catalogue, limitOf };
}

/** Those of the configuration are proposed for unknown names; a tenant does not learn of those of another. */
function servedBy({ routing }: Config, put: OpenedServices<NamedService>): ServedServices | null {
  if (routing.registryUrl !== undefined) return null;
  const own = new Set(Object.keys(routing.services));
  return { has: (name) => own.has(name) || put.has(name), [Symbol.iterator]: () => own.values() };
}

function toDirectory({ find, names, refresh }: OpenedServices<NamedService>): ServiceDirectory {
  return {
    find: (name, tenantId) => (tenantId === null ? null : (find(tenantId, name)?.service ?? null)),
    names: (tenantId) => (tenantId === null ? [] : names(tenantId)),
    // Another instance may have put it a moment ago.
    settle: refresh,
  };
}

/** Reads what a call says, as if the configuration did; headers are those of the origin. Error: INVALID_REQUEST. */
function readPutService(name: string, entry: JsonObject, config: Config, secrets: Secrets): NamedService {
  const said = toConfigured(readServiceEntry(entry));
  const { origin } = new URL(said.url);
  const headers = Object.entries(config.secrets.origins).find(([of]) => new URL(of).origin === origin)?.[1];
  return createNamedService(name, "call", { ...said, headers }, secrets);
}

/** Refuses an address that no call would reach; that of a host name is judged when it is called. */
function checkAddress(url: URL, policy: AddressPolicy): void {
  const destination = destinationOf(url);
  const problem = isIP(destination.host) === 0 ? null : policy.judge(destination.host, destination);
  if (problem !== null) refuseField("entry.url", `${destination.host} is ${problem}`);
}

/**
 * A registry at its usual place is not read because some flow names a service that is not there: nobody has said that
 * there is one. Routed tasks do ask for it, also those that go on after a restart.
 */
function readWhenAsked({ routing }: Config, reader: Registry): ServiceDirectory {
  if (routing.registryUrl !== undefined) return reader;
  const { find, names } = reader;
  return { find, names, settle: (flowId) => (flowId === ROUTE_FLOW ? reader.begin() : reader.settle(flowId)) };
}

/** Which addresses services of a registry may have. */
export function registryPolicyOf(config: Config): HttpToolPolicy {
  const { registryNetworks: networks } = config.routing;
  return { allowPrivate: true, allowPlain: true, allow: [], networks, ownPorts: ownPortsOf(config) };
}

/** Which addresses services may have that calls put: those of URLs in tasks, but no port for operators. */
export function callPolicyOf(config: Config): HttpToolPolicy {
  return { allowPrivate: false, allow: config.http.allow, ownPorts: ownPortsOf(config) };
}

function ownPortsOf({ metrics }: Config): readonly number[] {
  return metrics.port === 0 ? [] : [metrics.port];
}

/** Null: its usual place is this service itself. */
function openRegistry(config: Config, log: Log, parts: Parts): { url: string; reader: Registry } | null {
  const { routing, store } = config;
  const { registryPath, registrySyncInterval, registryTimeout, registryCacheExpiry } = routing;
  const url = routing.registryUrl ?? USUAL_REGISTRY;
  if (routing.registryUrl === undefined && leadsToItself(new URL(url), config)) {
    log.warn("no registry of services is read: its usual place is a port of this service", { url });
    return null;
  }
  const reader = createRegistry({
    url,
    paths: registryPath === undefined ? REGISTRY_PATHS : [registryPath.replace(/^\/?/, "/")],
    intervalMs: registrySyncInterval,
    timeoutMs: registryTimeout,
    expiryMs: registryCacheExpiry,
    copy: createRegistryCopy(routing.registryCacheDir ?? defaultCacheFolder(store.dataDir), url, log),
    clock: systemClock,
    log,
  });
  parts.onClose(() => reader.stop());
  return { url, reader };
}

function defaultCacheFolder(dataDir: string): string {
  const nearest = existsSync(USUAL_CACHE_FOLDER) ? USUAL_CACHE_FOLDER : dirname(USUAL_CACHE_FOLDER);
  try {
    accessSync(nearest, constants.W_OK);
    return USUAL_CACHE_FOLDER;
  } catch {
    return resolve(dataDir); // not there, or somebody else's
  }
}

function toConfigured({ headers, ...said }: ServiceEntry): ConfiguredService {
  const { url, timeout, limit, health_path: healthPath, ...policy } = said;
  const entry = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) as JsonObject;
  return { url, headers, healthPath, entry, limit, timeoutMs: durationOf(timeout), policy: toPolicy(policy) };
}

/** Only what is said: the rest is as for other calls. */
function toPolicy(entry: Omit<ServiceEntry, "url" | "headers" | "timeout" | "limit" | "health_path">): ServicePolicy {
  const { retry, breaker_failures: failuresToOpen, max_concurrent: maxConcurrent, max_queued: maxQueued } = entry;
  const [openMs, maxOpenMs] = [durationOf(entry.breaker_open), durationOf(entry.breaker_max_open)];
  const given = { retry, failuresToOpen, openMs, maxOpenMs, maxConcurrent, maxQueued };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function durationOf(value: string | number | undefined): number | undefined {
  return value === undefined ? undefined : parseDurationMs(value);
}
