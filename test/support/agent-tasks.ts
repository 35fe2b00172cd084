/** A service of its own whose agents have channels of their own. */
import { randomBytes } from "node:crypto";
import { createTestDatabase } from "./postgres.ts";
import { openWorkerBed } from "./worker-service.ts";

/** Starts it on the Redis server at `port`; it ends with the test. */
export async function openAgentTaskBed(port: number, more: Readonly<Record<string, string>> = {}) {
  const prefix = `t${randomBytes(4).toString("hex")}-`;
  const { url, database } = await createTestDatabase();
  const env = {
    DATABASE_URL: url,
    ORCHESTRATOR_REDIS_URL: `redis://127.0.0.1:${port}/0`,
    ORCHESTRATOR_REDIS_KEY_PREFIX: prefix,
    ORCHESTRATOR_REDIS_CHANNEL_PREFIX: prefix,
    ...more,
  };
  const bed = await openWorkerBed(env);
  const of = (kind: string) => ({ requests: `${prefix}${kind}-requests`, responses: `${prefix}${kind}-responses` });
  return { bed, prefix, database, env, of };
}
