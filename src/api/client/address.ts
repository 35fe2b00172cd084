/** Addresses of services as people write them. */
import { isIPv6 } from "node:net";
import { fail } from "../../base/errors.ts";

/** Port of a service when an address names none. */
const DEFAULT_PORT = "8002";

/** An address, taken apart. */
export interface ServiceAddress {
  /** `host` or `[ipv6]`. */
  readonly host: string;
  readonly port: number;
  /** Whether to speak TLS. */
  readonly secure: boolean;
}

/**
 * Reads `host`, `host:port`, `http://host:port` or `https://host:port`. The port is 8002 when none is given, with
 * `https` 443. Error: ADDRESS_INVALID.
 */
export function readAddress(address: string): ServiceAddress {
  const text = isIPv6(address) ? `[${address}]` : address;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  const isKnown = url?.protocol === "http:" || url?.protocol === "https:";
  const isBare = url !== null && (url.pathname === "/" || url.pathname === "") && url.search === "" && url.hash === "";
  // URL reads a number alone as an IPv4 address.
  if (url === null || !isKnown || !isBare || url.hostname === "" || url.username !== "" || /^\d+$/.test(text))
    return fail("ADDRESS_INVALID", { address });
  const secure = url.protocol === "https:";
  // URL drops the port that its scheme has by default, but 80 is not ours.
  const written = /:(\d+)\/?$/.exec(text)?.[1];
  return { host: url.hostname, port: Number(written ?? (secure ? "443" : DEFAULT_PORT)), secure };
}

/** The address in its shortest full form: `host:port`, or `https://host:port`. */
export function formatAddress({ host, port, secure }: ServiceAddress): string {
  return `${secure ? "https://" : ""}${host}:${port}`;
}
