/** Services that are called by name: those of the configuration, and those of a registry. */
import { accessSync, constants, existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Log } from "../../../base/log.ts";
import type { Secrets } from "../../../base/secrets/secrets.ts";
import { systemClock } from "../../../base/time/clock.ts";
import { parseDurationMs } from "../../../base/time/duration.ts";
import { leadsToItself } from "../../../config/check.ts";
import type { Config } from "../../../config/settings.ts";
import type { ServiceCatalogue } from "../../../engine/ports/routing/services.ts";
import { ROUTE_FLOW } from "../../../flows/builtin/ids.ts";
import { createAddressPolicy, type HttpToolPolicy } from "../../../tools/http/address-policy.ts";
import { withServices } from "../../../tools/http/http.ts";
import { createServiceCatalogue } from "../../../tools/http/service-catalogue.ts";
import type { ServicePolicy } from "../../../tools/service-policy.ts";
import { type Contacts, createContacts } from "../../../tools/services/contacts.ts";
import {
  type ConfiguredService,
  createConfiguredServices,
  joinDirectories,
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
export interface Services {
  readonly directory: ServiceDirectory;
  readonly contacts: Contacts;
  readonly catalogue: ServiceCatalogue;
}

/**
 * Creates the directory of services. A registry that is configured is read from now on, and the start does not wait for
 * it; the one at the usual place is read once somebody asks for services.
 */
export function openServices(config: Config, secrets: Secrets, log: Log, parts: Parts): Services {
  const own = createConfiguredServices(toConfigured(config.routing.services), secrets);
  const registry = openRegistry(config, log, parts);
  const directory = registry === null ? own : joinDirectories([own, readWhenAsked(config, registry.reader)]);
  if (config.routing.registryUrl !== undefined) void registry?.reader.begin();
  const contacts = createContacts(systemClock);
  const policies = {
    configuration: createAddressPolicy(withServices({ allowPrivate: false, allow: [] }, own)),
    registry: createAddressPolicy(registryPolicyOf(config)),
  };
  const freshMs = 2 * config.routing.registrySyncInterval;
  const catalogue = createServiceCatalogue({ directory, registry, contacts, freshMs, policies, clock: systemClock });
  return { directory, contacts, catalogue };
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
  const ownPorts = config.metrics.port === 0 ? [] : [config.metrics.port];
  return { allowPrivate: true, allowPlain: true, allow: [], networks: config.routing.registryNetworks, ownPorts };
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

function toConfigured(entries: Config["routing"]["services"]): Record<string, ConfiguredService> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, { url, headers, timeout, health_path: healthPath, ...policy }]) => [
      name,
      { url, headers, healthPath, timeoutMs: durationOf(timeout), policy: toPolicy(policy) },
    ]),
  );
}

type ServiceEntry = Config["routing"]["services"][string];

/** Only what is said: the rest is as for other calls. */
function toPolicy(entry: Omit<ServiceEntry, "url" | "headers" | "timeout" | "health_path">): ServicePolicy {
  const { retry, breaker_failures: failuresToOpen, max_concurrent: maxConcurrent, max_queued: maxQueued } = entry;
  const [openMs, maxOpenMs] = [durationOf(entry.breaker_open), durationOf(entry.breaker_max_open)];
  const given = { retry, failuresToOpen, openMs, maxOpenMs, maxConcurrent, maxQueued };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function durationOf(value: string | number | undefined): number | undefined {
  return value === undefined ? undefined : parseDurationMs(value);
}
