/**
 * Services that tasks call by name. The operator says where they are, so a flow that names one reaches its origin, and
 * nothing else: neither the path nor a redirect leads elsewhere.
 */
import type { JsonObject } from "../../base/json/json.ts";
import { secretNameOf } from "../../base/secrets/secret-reference.ts";
import type { Secrets } from "../../base/secrets/secrets.ts";
import type { ServiceSource } from "../../engine/ports/routing/services.ts";
import { NO_POLICY, type ServicePolicy } from "../service-policy.ts";

/** A service with a name. */
export interface NamedService {
  readonly name: string;
  readonly source: ServiceSource;
  /** What the source says, without headers, as the configuration writes it. */
  readonly entry: JsonObject;
  /** Where it is. Paths are below the path of this URL, which does not end with a slash. */
  readonly baseUrl: URL;
  /** Headers of every request, whatever the task sends under these names. Errors: SECRET_NOT_FOUND. */
  headers(): Promise<Readonly<Record<string, string>>>;
  readonly headerNames: readonly string[];
  /** Names of the secrets in them. */
  readonly secretNames: readonly string[];
  /** Longest time of one request, milliseconds; null: only the task bounds it. */
  readonly timeoutMs: number | null;
  readonly policy: ServicePolicy;
  /** Name of the limit under which it is called; null: none. */
  readonly limit: string | null;
  /** Path below the URL that answers 2xx when the service works; null: a connection says that it does. */
  readonly healthPath: string | null;
}

/** The services that are known at the moment. A tenant has its own beside those of all; null: only the latter. */
export interface ServiceDirectory {
  find(name: string, tenantId: string | null): NamedService | null;
  names(tenantId: string | null): readonly string[];
  /**
   * Resolves when every source that is there for a flow has been read once; absent: they are known from the beginning.
   * Never rejects.
   */
  settle?(flowId: string): Promise<void>;
}

/** There is no service with this name. */
export class ServiceMissing extends Error {}

/** Headers by name. Values may be references to secrets. */
export type ServiceHeaders = Readonly<Record<string, string>>;

/** What is said of a service. */
export interface ConfiguredService {
  readonly url: string;
  readonly headers?: ServiceHeaders | undefined;
  readonly timeoutMs?: number | undefined;
  readonly policy?: ServicePolicy;
  readonly limit?: string | undefined;
  readonly healthPath?: string | undefined;
  /** All of it but the headers, as the configuration writes it. */
  readonly entry?: JsonObject;
}

/** A service by what is said of it. */
export function createNamedService(
  name: string,
  source: ServiceSource,
  said: ConfiguredService,
  secrets: Pick<Secrets, "resolve">,
): NamedService {
  const { url, headers = {}, timeoutMs = null, policy = NO_POLICY, healthPath = null, entry = { url } } = said;
  const { limit = null } = said;
  return {
    ...{ name, source, entry, baseUrl: baseOf(url), timeoutMs, policy, limit, healthPath },
    headers: () => resolveAll(headers, secrets),
    headerNames: Object.keys(headers),
    secretNames: Object.values(headers).flatMap((value) => secretNameOf(value) ?? []),
  };
}

/** The services of the configuration. */
export function createConfiguredServices(
  entries: Readonly<Record<string, ConfiguredService>>,
  secrets: Pick<Secrets, "resolve">,
): ServiceDirectory {
  const services = new Map(
    Object.entries(entries).map(([name, entry]) => [name, createNamedService(name, "configuration", entry, secrets)]),
  );
  return { find: (name) => services.get(name) ?? null, names: () => [...services.keys()] };
}

/** Several directories as one. A name in an earlier one hides the same name in a later one. */
export function joinDirectories(directories: readonly ServiceDirectory[]): ServiceDirectory {
  return {
    find(name, tenantId) {
      for (const directory of directories) {
        const service = directory.find(name, tenantId);
        if (service !== null) return service;
      }
      return null;
    },
    names: (tenantId) => [...new Set(directories.flatMap((directory) => directory.names(tenantId)))],
    settle: async (flowId) => void (await Promise.all(directories.map((directory) => directory.settle?.(flowId)))),
  };
}

async function resolveAll(headers: ServiceHeaders, secrets: Pick<Secrets, "resolve">) {
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) resolved[name] = await secrets.resolve(value);
  return resolved;
}

/** The URL that paths are appended to. */
export function baseOf(text: string): URL {
  const url = new URL(text);
  url.pathname = url.pathname.replace(/(?<!\/)\/+$/, "");
  return url;
}
