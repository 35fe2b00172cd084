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
  await eventually(async () => expect(await runs.sql("SELECT 1 FROM orchestrator.outbox")).toEqual([]));
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
      JSON.stringify({ correlation_id: "c", workflow_template: "sum", variables: { a: 1 }, notes: "x".repeat(66_000) }),
      "TOO_LARGE",
      /context \(notes\) has 66012 bytes as JSON; the limit is 65536/,
    ],
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

test.skipIf(skips)("executions over REST answer, too, however they end; other runs and children do not", async () => {
  const redis = await startRedisForTest();
  const { url } = await createTestDatabase();
  const { address } = await startInstance(url, redis);
  const heard = await hear(redis);
  const post = async (path: string, body: object): Promise<Record<string, string>> => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`http://${address}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    return (await response.json()) as Record<string, string>;
  };
  const started = await post("/api/v1/workflows", { workflow_template: "sum", variables: { a: 1 } });
  await eventually(() => expect(heard).toHaveLength(2));
  const own = { execution_id: started["execution_id"], correlation_id: started["execution_id"] };
  expect(heard).toMatchObject([
    { ...own, status: "running" },
    { ...own, status: "completed", output: { sum: 2 } },
  ]);

  // A workflow that the request brings, with a child; it waits until its time is over.
  const late = await post("/api/v1/workflows", {
    workflow: {
      id: "late",
      timeout: 1,
      tasks: [
        { id: "child", type: "subflow", parameters: { flow_id: "sum", input: { a: 1 } } },
        { id: "gate", type: "signal", depends_on: ["child"], parameters: { name: "go" } },
      ],
    },
  });
  await eventually(() => expect(heard).toHaveLength(4));
  const statusOf = async (id: string) =>
    (await (await fetch(`http://${address}/api/v1/workflows/${id}/status`)).json()) as Record<string, unknown>;
  const shown = await statusOf(late["execution_id"] ?? "");
  const { tasks: _, progress: __, created_at: ___, ...same } = shown;
  expect(heard[3]).toEqual(same);
  expect(heard[3]).toMatchObject({ status: "failed", workflow_template: null });

  const waiting = await post("/api/v1/workflows", {
    ...{ workflow_template: "wait", correlation_id: "w" },
  });
  await eventually(() => expect(heard).toHaveLength(5));
  await post(`/api/v1/workflows/${waiting["execution_id"]}/cancel`, { reason: "not wanted" });
  await eventually(() => expect(heard).toHaveLength(6));
  expect(heard[5]).toMatchObject({ correlation_id: "w", status: "cancelled", workflow_template: "wait" });

  await post("/v1/runs", { flow_id: "sum", input: { a: 1 } });
  await eventually(async () => expect(await openRuns(url).list()).toHaveLength(5));
  request(redis, { correlation_id: "last", workflow_template: "sum", variables: { a: 1 } });
  await eventually(() => expect(heard).toHaveLength(8));
  expect(heard.slice(6).map(({ correlation_id }) => correlation_id)).toEqual(["last", "last"]);
});

test.skipIf(skips)("names have a prefix and may be Streams; without any, nothing is heard and told", async () => {
  const redis = await startRedisForTest();
  const { url, database } = await createTestDatabase();
  const both = {
    ORCHESTRATOR_WORKFLOW_REQUESTS: "workflow-requests,stream:requests",
    ORCHESTRATOR_WORKFLOW_RESPONSES: "stream:responses",
  };
  const service = await startInstance(url, redis, { ...both, ORCHESTRATOR_REDIS_CHANNEL_PREFIX: "orch:" });
  await eventually(() => expect(service.output()).toContain("channels are heard"));
  request(redis, { correlation_id: "p", workflow_template: "sum", variables: { a: 1 } }, "orch:workflow-requests");
  redis.cli("XADD", "orch:requests", "*", "message", '{"workflow_template": "sum", "variables": {"a": 2}}');
  await eventually(() => expect(redis.cli("XLEN", "orch:responses")).toBe("4"));
  await service.stop();

  await startInstance(url, redis, { ORCHESTRATOR_WORKFLOW_REQUESTS: "[]", ORCHESTRATOR_WORKFLOW_RESPONSES: "[]" });
  await eventually(() => expect(redis.cli("CLIENT", "LIST", "TYPE", "normal")).toContain("name=orchestrator"));
  expect(redis.cli("PUBSUB", "CHANNELS")).not.toContain("workflow");
  const { rows } = await database.reads.query("SELECT 1 FROM orchestrator.outbox");
  expect(rows).toEqual([]);
});
