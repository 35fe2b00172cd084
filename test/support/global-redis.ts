/** One Redis server for a test run. Each test uses keys of its own; those that break a server start another one. */
import type { TestProject } from "vitest/node";
import { hasRedis, type RedisServer, startRedisServer } from "./redis-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Port of the server; 0 when Redis is not installed. */
    redis: number;
  }
}

// Every project of the run loads this file; the server is shared through the process.
const holder = globalThis as { orchestratorTestRedis?: { users: number; server: Promise<RedisServer> } };

/** Starts the server for the first project that needs it; stops it after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!hasRedis && process.env.CI !== "true") {
    console.log("skipped: Redis (Debian: apt-get install redis-server)");
    project.provide("redis", 0);
    return async () => {};
  }
  holder.orchestratorTestRedis ??= { users: 0, server: startRedisServer() };
  const shared = holder.orchestratorTestRedis;
  shared.users++;
  project.provide("redis", (await shared.server).port);
  return async () => {
    shared.users--;
    if (shared.users > 0) return;
    delete holder.orchestratorTestRedis;
    await (await shared.server).remove();
  };
}
