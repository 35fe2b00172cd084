import { networkInterfaces } from "node:os";
import type { Config } from "../config/settings.ts";

/** What listening at every interface is called. */
const EVERYWHERE: readonly string[] = ["0.0.0.0", "::"];

/**
 * Where other instances reach this one, host:port: what the configuration says, else where it listens. An instance that listens everywhere is reached at the
 * first address of its network, which the others must have a way to.
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
