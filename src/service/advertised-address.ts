import { networkInterfaces } from "node:os";
import type { Config } from "../config/settings.ts";

/** Addresses that mean every interface. */
const EVERYWHERE: readonly string[] = ["0.0.0.0", "::"];

/**
 * Returns the address at which other instances reach this one, host:port: the configured address, or else the listening
 * address. For an instance that listens on all interfaces, this is the first address of its network, which must be
 * reachable from the other instances.
 */
export function advertisedAddress(
  { host, port, advertisedAddress: given }: Config["server"],
  interfaces = networkInterfaces(),
): string {
  if (given !== undefined) return given;
  const addresses = Object.values(interfaces).flatMap((all) => all ?? []);
  const outside = addresses.filter(({ internal }) => !internal);
  const first = outside.find(({ family }) => family === "IPv4") ?? outside[0];
  const reached = EVERYWHERE.includes(host) ? (first?.address ?? "127.0.0.1") : host;
  return `${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
}
