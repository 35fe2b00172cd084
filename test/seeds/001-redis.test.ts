/** The message bus of the document of seed 001, executed: its request, as it publishes it, and the channel it hears. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startRedisForTest } from "../support/redis-server.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";
import { hear, startInstance } from "../support/workflow-requests.ts";
import { TEMPLATES } from "./001/templates.ts";

test.skipIf(inject("redis") === 0)("a request on workflow-requests is answered on workflow-responses", async () => {
  const redis = await startRedisForTest("--requirepass", "secret");
  const { url } = await createTestDatabase();
  const folder = join(createTemporaryFolder(), "templates");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(TEMPLATES)) writeFileSync(join(folder, name), text);
  await startInstance(url, redis, {
    ...{ REDIS_URL: "", REDIS_HOST: "127.0.0.1", REDIS_PORT: String(redis.port), REDIS_PASSWORD: "secret" },
    ORCHESTRATOR_TEMPLATES: folder,
  });
  redis.cli("-a", "secret", "CONFIG", "SET", "requirepass", "");
  const heard = await hear(redis);
  const body = `{
  "correlation_id": "test-workflow",
  "workflow_template": "data-analysis-basic",
  "variables": {"query_limit": 100}
}`;
  expect(redis.cli("PUBLISH", "workflow-requests", body)).toBe("1");
  await eventually(() => expect(heard).toHaveLength(2));
  const own = { correlation_id: "test-workflow", workflow_template: "data-analysis-basic", error: null };
  expect(heard).toMatchObject([
    { ...own, status: "running", completed_at: null },
    { ...own, status: "completed", output: { analysis: "Summarize: MATCH (n) RETURN n LIMIT 100" } },
  ]);
});
