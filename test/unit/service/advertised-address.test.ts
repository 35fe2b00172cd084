import type { NetworkInterfaceInfo } from "node:os";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/config.ts";
import { advertisedAddress } from "../../../src/service/advertised-address.ts";

const at = (address: string, family: "IPv4" | "IPv6", internal = false) =>
  ({ address, family, internal }) as NetworkInterfaceInfo;

const NETWORK = {
  lo: [at("127.0.0.1", "IPv4", true)],
  eth0: [at("fd00::7", "IPv6"), at("10.1.2.3", "IPv4")],
};

async function serverOf(flags: Readonly<Record<string, unknown>>) {
  return (await loadConfig({ flags, env: {} })).config.server;
}

// Cause: an instance that listened everywhere told the others 0.0.0.0, where each of them found itself.
test("an instance that listens everywhere is reached at an address of its network", async () => {
  expect(advertisedAddress(await serverOf({ host: "0.0.0.0", port: 9_000 }), NETWORK)).toBe("10.1.2.3:9000");
  expect(advertisedAddress(await serverOf({ host: "::" }), { eth0: [at("fd00::7", "IPv6")] })).toBe("[fd00::7]:8002");
  expect(advertisedAddress(await serverOf({ host: "0.0.0.0" }), {})).toBe("127.0.0.1:8002");
});

test("else it is reached where it listens, or where the configuration says", async () => {
  expect(advertisedAddress(await serverOf({ host: "192.0.2.1" }), NETWORK)).toBe("192.0.2.1:8002");
  const server = { ...(await serverOf({ host: "0.0.0.0" })), advertisedAddress: "orchestrator-0.internal:80" };
  expect(advertisedAddress(server, NETWORK)).toBe("orchestrator-0.internal:80");
});
