/** The server that the other tests of this suite stand on. */
import { expect, inject, test } from "vitest";
import { startRedisForTest } from "../support/redis-server.ts";

test.skipIf(inject("redis") === 0)("a server that is killed comes back empty, on the same port", async () => {
  const server = await startRedisForTest();
  expect(server.cli("SET", "key", "value")).toBe("OK");
  await server.stop("SIGKILL");
  expect(server.cli("GET", "key")).toContain("Connection refused");
  await server.start();
  expect(server.cli("GET", "key")).toBe("");
});
