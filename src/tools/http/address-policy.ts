/**
 * Decides which addresses the service's own calls may reach. Flows contain URLs, and URLs can be computed from input,
 * so every address is checked. The check applies to the resolved address of each connection, not to the text of a URL.
 */
import { BlockList, isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { fail } from "../../base/errors.ts";

/** Configuration of calls made by `http` tasks. */
export interface HttpToolPolicy {
  /** Whether loopback, private, and shared addresses may be called, also over plain http. */
  readonly allowPrivate: boolean;
  /**
   * Always allowed: networks (`10.0.0.0/8`), addresses (`127.0.0.1`), hosts (`billing.internal`), hosts with port
   * (`billing.internal:8080`, `[::1]:8080`).
   */
  readonly allow: readonly string[];
  /** Whether public addresses may be called over plain http; false by default. */
  readonly allowPlain?: boolean;
  /** Only addresses in these networks may be called, but for what `allow` lists; if empty, all that the rest allows. */
  readonly networks?: readonly string[];
  /** Ports of this machine that are never called: they are for operators. */
  readonly ownPorts?: readonly number[];
}

/** The name of the setting in messages to operators. */
const SETTING = "http.allow (ORCHESTRATOR_HTTP_ALLOW)";

/** The target of a connection. */
export interface Destination {
  /** Lower case, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

export interface AddressPolicy {
  /** Returns why `address` may not be called for `destination`, or null if it may. */
  judge(address: string, destination: Destination): string | null;
}

/** Loopback, private, and shared networks: reachable if the configuration allows it. */
const PRIVATE = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1/128",
  "fc00::/7",
];

/**
 * Never reachable unless listed in `allow`: unspecified, link-local (metadata services of clouds), protocol
 * assignments, benchmarks, documentation, multicast, and reserved addresses; and IPv6 networks that embed IPv4
 * addresses (mapped, compatible, NAT64, 6to4, Teredo, site-local).
 */
const SPECIAL = [
  "0.0.0.0/8",
  "169.254.0.0/16",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::/96",
  "::ffff:0:0/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/32",
  "2001:db8::/32",
  "2002::/16",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

/** Creates the policy. Throws CONFIG_INVALID if an entry of `allow` cannot be parsed. */
export function createAddressPolicy(policy: HttpToolPolicy): AddressPolicy {
  const privateNetworks = createNetworks(PRIVATE);
  const specialNetworks = createNetworks(SPECIAL);
  const allowedNetworks = createNetworks(policy.allow.filter((entry) => toNetwork(entry) !== null));
  const allowedPlaces = new Set(policy.allow.filter((entry) => toNetwork(entry) === null).map(toPlace));
  const { allowPlain = false, networks = [], ownPorts = [] } = policy;
  const onlyNetworks = networks.length === 0 ? null : createNetworks(networks.map(checkNetwork));
  return {
    judge(address, { host, port, secure }) {
      if (ownPorts.includes(port) && isOwnAddress(address)) return "a port of this service that is not for callers";
      if (allowedPlaces.has(`${host}:${port}`) || allowedPlaces.has(host) || allowedNetworks.has(address)) return null;
      if (onlyNetworks?.has(address) === false)
        return "outside the networks that services of the registry may be in (routing.registry_networks)";
      // ::1 is also in ::/96, so private networks are checked first.
      if (privateNetworks.has(address)) {
        if (policy.allowPrivate) return null;
        return `a private or loopback address; an operator may allow it: ${SETTING}: "${place(host, port)}"`;
      }
      if (specialNetworks.has(address) || isIP(address) === 0) return "an address that is kept for special use";
      if (secure || allowPlain) return null;
      return `a public address by plain http; use https, or let an operator allow it: ${SETTING}: "${place(host, port)}"`;
    },
  };
}

/** Whether the address is one of this machine. */
function isOwnAddress(address: string): boolean {
  if (createNetworks(["127.0.0.0/8", "::1/128"]).has(address)) return true;
  return Object.values(networkInterfaces()).some((faces) => faces?.some((face) => face.address === address) === true);
}

/** Returns the entry of a list of networks. Throws CONFIG_INVALID. */
export function checkNetwork(entry: string): string {
  if (toNetwork(entry) !== null) return entry;
  return fail("CONFIG_INVALID", { problem: `"${entry}" is not a network (10.0.0.0/8) or an address (127.0.0.1)` });
}

interface Network {
  readonly address: string;
  readonly prefix: number;
}

function toNetwork(entry: string): Network | null {
  const [address = "", bits, ...rest] = entry.trim().split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return null;
  const longest = family === 4 ? 32 : 128;
  if (bits === undefined) return { address, prefix: longest };
  const prefix = Number(bits);
  return /^\d{1,3}$/.test(bits) && prefix <= longest ? { address, prefix } : null;
}

function toPlace(entry: string): string {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?))(?::(\d{1,5}))?$/.exec(
    entry.trim().toLowerCase(),
  );
  if (match === null) {
    fail("CONFIG_INVALID", {
      problem: `${SETTING}: "${entry}" is not a network (10.0.0.0/8), address (127.0.0.1), host (billing.internal), or host with port (billing.internal:8080)`,
    });
  }
  const host = match[1] ?? match[2] ?? "";
  return match[3] === undefined ? host : `${host}:${Number(match[3])}`;
}

/**
 * One list per address family: a mixed list would match every IPv4 address with ::ffff:0:0/96, and mapped addresses
 * with IPv4 entries.
 */
function createNetworks(entries: readonly string[]): { has(address: string): boolean } {
  const four = new BlockList();
  const six = new BlockList();
  for (const entry of entries) {
    const network = toNetwork(entry);
    if (network === null) continue;
    const isFour = isIP(network.address) === 4;
    (isFour ? four : six).addSubnet(network.address, network.prefix, isFour ? "ipv4" : "ipv6");
  }
  return { has: (address) => (isIP(address) === 4 ? four.check(address, "ipv4") : six.check(address, "ipv6")) };
}

function place(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
