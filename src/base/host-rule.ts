/**
 * The names under which a listening port may be called.
 *
 * A browser sends the name in its address bar as `Host`. The owner of a name can point it at 127.0.0.1 after a page has loaded (DNS rebinding); the page
 * then has the same origin as a service on the user's machine and can read everything from it. A port on loopback therefore answers only to addresses,
 * which nobody can point elsewhere, to `localhost`, and to the names that the configuration lists.
 */
import { isIP } from "node:net";

/** Decides about the hosts of requests. */
export interface HostRule {
  /** The port listens at this address. On loopback the rule holds even when no names are configured. */
  bind(address: string): void;
  /** Whether a request for this authority (`host` or `host:port`) is answered. HTTP/1.0 may leave it out; browsers never do. */
  allows(authority: string | undefined): boolean;
}

/** Entry of the list of names that allows every name. */
export const ANY_HOST = "*";

/** A rule that allows `names` beside addresses and `localhost`. An empty list allows every name until the port is bound to loopback. */
export function createHostRule(names: readonly string[]): HostRule {
  const allowed = new Set(names.map((name) => name.toLowerCase()));
  let isStrict = allowed.size > 0;
  const isOpen = allowed.has(ANY_HOST);
  return {
    bind(address) {
      if (isLoopback(address)) isStrict = true;
    },
    allows(authority) {
      if (!isStrict || isOpen || authority === undefined) return true;
      const host = hostOf(authority);
      if (host === null) return false;
      return isIP(host) !== 0 || host === "localhost" || host.endsWith(".localhost") || allowed.has(host);
    },
  };
}

/** Host of an authority: lower case, without port, brackets, and the dot that ends an absolute name. Null when it cannot be read. */
export function hostOf(authority: string): string | null {
  const found = /^(?:\[([\da-f:.]+)\]|([^\s:[\]@/?#\\]+))(?::\d{0,5})?$/i.exec(authority);
  if (found === null) return null;
  const [, address, name] = found;
  if (address !== undefined) return isIP(address) === 6 ? address.toLowerCase() : null;
  const host = (name ?? "").toLowerCase().replace(/\.$/, "");
  return host === "" ? null : host;
}

/** Whether an address can be reached from this machine alone. */
export function isLoopback(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, "");
  return plain === "::1" || plain === "localhost" || (isIP(plain) === 4 && plain.startsWith("127."));
}
