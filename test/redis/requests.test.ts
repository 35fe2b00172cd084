/** Requests over Redis as a foreign client sends them, and the answers that it hears. */
import { expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startRedisForTest } from "../support/redis-server.ts";
import { hear, openRuns, request, startInstance } from "../support/workflow-requests.ts";

const skips = inject("redis") === 0;

test.skipIf(skips)("a request starts one run at one of two instances, and its begin and end are told", async () => {
  const redis = await startRedisForTest();
  const { url } = await createTestDatabase();
  await Promise.all([startInstance(url, redis), startInstance(url, redis)]);
  const heard = await hear(redis);
  const runs = openRuns(url);
  const body = (index: number) => ({
    ...{ correlation_id: `c${index}`, workflow_template: "sum", variables: { a: index } },
    source: "test",
  });
  for (let index = 0; index < 20; index++) request(redis, body(index));
  await eventually(() => expect(heard).toHaveLength(40));
  expect(await runs.list()).toHaveLength(20);
  for (let index = 0; index < 20; index++) {
    const [begin, end] = heard.filter(({ correlation_id }) => correlation_id === `c${index}`);
    const [run] = (await runs.list()).filter(({ correlation_id }) => correlation_id === `c${index}`);
    const own = { execution_id: run?.run_id, correlation_id: `c${index}`, workflow_template: "sum", error: null };
    const started_at = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(begin).toEqual({ ...own, status: "running", output: null, started_at, completed_at: null });
    expect(end).toEqual({
      ...own,
      status: "completed",
      output: { sum: index + 1 },
      started_at,
      completed_at: started_at,
    });
  }
  // Identical ones are as many runs.
  request(redis, body(100));
  request(redis, body(100));
  await eventually(() => expect(heard).toHaveLength(44));
  expect(await runs.list()).toHaveLength(22);
  expect(await runs.sql("SELECT 1 FROM orchestrator.outbox")).toEqual([]);
});

test.skipIf(skips)("what cannot be started is refused with one answer that says why", async () => {
  const redis = await startRedisForTest();
  const { url } = await createTestDatabase();
  await Promise.all([startInstance(url, redis), startInstance(url, redis)]);
  const heard = await hear(redis);
  const refused: readonly [string, string, RegExp][] = [
    ["not json", "NOT_JSON", /JSON/],
    ["[1]", "NOT_JSON", /object/],
    ["", "NOT_JSON", /JSON/],
    ['{"correlation_id": "c", "workflow_template": "sum", "variables": {"a": "\\u0000"}}', "NOT_JSON", /NUL|U\+0000/],
    ['{"correlation_id": 5, "workflow_template": "sum"}', "INVALID_MESSAGE", /correlation_id/],
    ['{"correlation_id": "c", "variables": {}}', "INVALID_MESSAGE", /workflow_template/],
    ['{"correlation_id": "c", "workflow_template": "sum", "variables": []}', "INVALID_MESSAGE", /variables/],
    ['{"correlation_id": "c", "workflow_template": "nobody"}', "TEMPLATE_NOT_FOUND", /nobody/],
    ['{"correlation_id": "c", "workflow_template": "sum"}', "FLOW_INPUT_INVALID", /a/],
    ['{"correlation_id": "c", "workflow_template": "sum", "variables": {"a": 1, "z": 1}}', "FLOW_INPUT_INVALID", /"z"/],
    ['{"correlation_id": "c", "workflow_template": "sum", "variables": {"a": "x"}}', "FLOW_INPUT_INVALID", /a/],
    [
      `{"correlation_id": "${"c".repeat(2_000)}", "workflow_template": "sum", "variables": {"a": 1}}`,
      "INVALID",
      /correlation_id/,
    ],
  ];
  for (const [index, [text, code, message]] of refused.entries()) {
    redis.cli("PUBLISH", "workflow-requests", text);
    await eventually(() => expect(heard, text).toHaveLength(index + 1));
    expect(heard[index], text).toMatchObject({
      execution_id: expect.any(String),
      status: "failed",
      output: null,
    });
    expect(heard[index]?.error?.code, text).toContain(code);
    expect(heard[index]?.error?.message, text).toMatch(message);
    if (text.includes('"correlation_id": "c"')) expect(heard[index]?.correlation_id).toBe("c");
  }
  // Both instances are well.
  for (let index = 0; index < 10; index++)
    request(redis, { correlation_id: `w${index}`, workflow_template: "refuse", variables: {} });
  await eventually(() => expect(heard).toHaveLength(refused.length + 20));
  expect(heard.slice(refused.length).filter(({ status }) => status === "failed")).toHaveLength(10);
  expect(heard.at(-1)).toMatchObject({ error: { code: expect.any(String) }, completed_at: expect.any(String) });
  const runs = await openRuns(url).list();
  expect(runs).toHaveLength(refused.length + 10);
  expect(new Set(heard.map(({ execution_id }) => execution_id)).size).toBe(runs.length);
});
