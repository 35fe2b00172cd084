/**
 * The names under which a listening port may be called.
 *
 * A browser sends the name in its address bar as `Host`. The owner of a name can point it at 127.0.0.1 after a page has
 * loaded (DNS rebinding); the page then has the same origin as a service on the user's machine and can read everything
 * from it. A port on loopback therefore answers only to addresses, which nobody can point elsewhere, to `localhost`,
 * and to the names that the configuration lists.
 */
import { isIP } from "node:net";

/** Decides which hosts of requests are allowed. */
export interface HostRule {
  /** Sets the address that the port listens on. On loopback the rule applies even when no names are configured. */
  bind(address: string): void;
  /**
   * Returns whether a request for this authority (`host` or `host:port`) is allowed. HTTP/1.0 clients may omit it;
   * browsers never do.
   */
  allows(authority: string | undefined): boolean;
}

/** List entry that allows every name. */
export const ANY_HOST = "*";

/**
 * Creates a rule that allows `names` in addition to addresses and `localhost`. An empty list allows every name until
 * the port is bound to loopback.
 */
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

/**
 * Returns the host of an authority: lower case, without port, brackets, and the trailing dot of an absolute name. Null
 * when it is invalid.
 */
export function hostOf(authority: string): string | null {
  const found = /^(?:\[([\da-f:.]+)\]|([^\s:[\]@/?#\\]+))(?::\d{0,5})?$/i.exec(authority);
  if (found === null) return null;
  const [, address, name] = found;
  if (address !== undefined) return isIP(address) === 6 ? address.toLowerCase() : null;
  const host = (name ?? "").toLowerCase().replace(/\.$/, "");
  return host === "" ? null : host;
}

/** Returns whether an address is reachable only from this machine. */
export function isLoopback(address: string): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, "");
  return plain === "::1" || plain === "localhost" || (isIP(plain) === 4 && plain.startsWith("127."));
}
