/** Parses addresses of services. */
import { isIPv6 } from "node:net";
import { fail } from "../../base/errors.ts";

/** Port of an address that has none. */
const DEFAULT_PORT = "8002";

/** The parts of an address. */
export interface ServiceAddress {
  /** `host` or `[ipv6]`. */
  readonly host: string;
  readonly port: number;
  /** Whether to use TLS. */
  readonly secure: boolean;
}

/**
 * Parses `host`, `host:port`, `http://host:port`, or `https://host:port`. The default port is 8002, or 443 with
 * `https`. Error: ADDRESS_INVALID.
 */
export function readAddress(address: string): ServiceAddress {
  const text = isIPv6(address) ? `[${address}]` : address;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  const isKnown = url?.protocol === "http:" || url?.protocol === "https:";
  const isBare = url !== null && (url.pathname === "/" || url.pathname === "") && url.search === "" && url.hash === "";
  // URL reads a bare number as an IPv4 address.
  if (url === null || !isKnown || !isBare || url.hostname === "" || url.username !== "" || /^\d+$/.test(text))
    return fail("ADDRESS_INVALID", { address });
  const secure = url.protocol === "https:";
  // URL drops the default port of a scheme, but 80 is not our default.
  const written = /:(\d+)\/?$/.exec(text)?.[1];
  return { host: url.hostname, port: Number(written ?? (secure ? "443" : DEFAULT_PORT)), secure };
}

/** The shortest complete form: `host:port`, or `https://host:port`. */
export function formatAddress({ host, port, secure }: ServiceAddress): string {
  return `${secure ? "https://" : ""}${host}:${port}`;
}
