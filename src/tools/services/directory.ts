/**
 * Services that tasks call by name. The operator says where they are, so a flow that names one reaches its origin, and
 * nothing else: neither the path nor a redirect leads elsewhere.
 */
import type { Secrets } from "../../base/secrets/secrets.ts";
import { NO_POLICY, type ServicePolicy } from "../service-policy.ts";

/** Who says where a service is: a registry is trusted less than the configuration. */
export type ServiceSource = "configuration" | "registry";

/** A service with a name. */
export interface NamedService {
  readonly name: string;
  readonly source: ServiceSource;
  /** Where it is. Paths are below the path of this URL, which does not end with a slash. */
  readonly baseUrl: URL;
  /** Headers of every request, whatever the task sends under these names. Errors: SECRET_NOT_FOUND. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Longest time of one request, milliseconds; null: only the task bounds it. */
  readonly timeoutMs: number | null;
  readonly policy: ServicePolicy;
  /** Path below the URL that answers 2xx when the service works; null: a connection says that it does. */
  readonly healthPath: string | null;
}

/** The services that are known at the moment. */
export interface ServiceDirectory {
  find(name: string): NamedService | null;
  names(): readonly string[];
  /**
   * Resolves when every source that is there for a flow has been read once; absent: they are known from the beginning.
   * Never rejects.
   */
  settle?(flowId: string): Promise<void>;
}

/** There is no service with this name. */
export class ServiceMissing extends Error {}

/** What a configuration says of a service; values of headers may be references to secrets. */
export interface ConfiguredService {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly policy?: ServicePolicy;
  readonly healthPath?: string | undefined;
}

/** The services of the configuration. */
export function createConfiguredServices(
  entries: Readonly<Record<string, ConfiguredService>>,
  secrets: Pick<Secrets, "resolve">,
): ServiceDirectory {
  const services = new Map(
    Object.entries(entries).map(([name, entry]): [string, NamedService] => {
      const { url, headers = {}, timeoutMs = null, policy = NO_POLICY, healthPath = null } = entry;
      const resolve = () => resolveAll(headers, secrets);
      return [
        name,
        { name, source: "configuration", baseUrl: baseOf(url), headers: resolve, timeoutMs, policy, healthPath },
      ];
    }),
  );
  return { find: (name) => services.get(name) ?? null, names: () => [...services.keys()] };
}

/** Several directories as one. A name in an earlier one hides the same name in a later one. */
export function joinDirectories(directories: readonly ServiceDirectory[]): ServiceDirectory {
  return {
    find(name) {
      for (const directory of directories) {
        const service = directory.find(name);
        if (service !== null) return service;
      }
      return null;
    },
    names: () => [...new Set(directories.flatMap((directory) => directory.names()))],
    settle: async (flowId) => void (await Promise.all(directories.map((directory) => directory.settle?.(flowId)))),
  };
}

async function resolveAll(headers: Readonly<Record<string, string>>, secrets: Pick<Secrets, "resolve">) {
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) resolved[name] = await secrets.resolve(value);
  return resolved;
}

/** The URL that paths are appended to. */
export function baseOf(text: string): URL {
  const url = new URL(text);
  url.pathname = url.pathname.replace(/\/+$/, "");
  return url;
}
