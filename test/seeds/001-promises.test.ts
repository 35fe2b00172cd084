/**
 * Promises of the document of seed 001 that take agents, a death, or time: its fragments run, and what is lost comes
 * back.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { eventually } from "../support/eventually.ts";
import { openForeignAgent, type SeenRequest } from "../support/foreign-agent.ts";
import { runRedisCommand } from "../support/redis-server.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const port = inject("redis");
const skips = port === 0;

/** A service with these templates, and its REST interface. */
async function openBed(templates: Readonly<Record<string, string>>, more: Readonly<Record<string, string>> = {}) {
  const folder = join(createTemporaryFolder(), "templates");
  mkdirSync(folder);
  for (const [id, text] of Object.entries(templates)) writeFileSync(join(folder, `${id}.yaml`), text);
  const opened = await openAgentTaskBed(port, { ORCHESTRATOR_TEMPLATES: folder, ...more });
  const url = `http://${opened.bed.address}`;
  const read = async (path: string, init?: RequestInit) =>
    (await (await fetch(`${url}${path}`, init)).json()) as Record<string, unknown>;
  const start = async (workflow_template: string, variables: object, correlation_id: string) => {
    const body = JSON.stringify({ workflow_template, variables, correlation_id });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    const { execution_id, error } = await read("/api/v1/workflows", init);
    expect(error).toBeUndefined();
    return String(execution_id);
  };
  const reaches = (id: string, status: string) =>
    eventually(
      async () => {
        const execution = await read(`/api/v1/workflows/${id}/status`);
        expect(execution).toMatchObject({ status });
        return execution;
      },
      { timeoutMs: 30_000 },
    );
  return { ...opened, folder, read, start, reaches };
}

/** Each fragment of the document, with values of our own, in one workflow. */
const FRAGMENTS = `id: all-fragments
name: All Fragments
description: Every kind of task
category: data-science
version: "1.0"
variables:
  - name: input_param
    type: string
    description: How many nodes are read
    required: true
    default: "7"
  - name: data_quality_score
    type: number
    default: 0.9

workflow:
  id: all-fragments-execution
  name: All Fragments Execution
  timeout: 3600
  variables:
    input_param: \${input_param}

  tasks:
    - id: task1
      name: First Task
      type: data
      parameters:
        operation: traverse
        query:
          cypher: "MATCH (n) RETURN n LIMIT \${input_param}"
        enrich: ["metadata"]
      retry_policy:
        max_retries: 2
        backoff_type: exponential
        initial_delay: 1s
      timeout: 60
    - id: task2
      name: Second Task
      type: ai
      depends_on: ["task1"]
      parameters:
        provider: anthropic
        model: claude-3-sonnet
        prompt: "Look at this: \${task1.output}"
        response_format: json
        max_tokens: 2000
      timeout: 120
    - id: run_script
      type: exec
      depends_on: ["task2"]
      parameters:
        image: "python:3.9-slim"
        command: ["python", "/workspace/input/script.py"]
        files:
          - name: script.py
            content: |
              import json
              # more
    - id: both
      type: parallel
      depends_on: ["run_script"]
      parameters:
        tasks:
          - type: data
            parameters:
              operation: search
          - type: ai
            parameters:
              prompt: "Say it shorter"
    - id: quality_check
      type: condition
      depends_on: ["both"]
      condition: "\${data_quality_score > 0.8}"
      on_success: ["publish_results"]
      on_failure: ["retry_processing"]
    - {id: publish_results, type: data, parameters: {operation: enrich}}
    - {id: retry_processing, type: noop}
`;

test.skipIf(skips)("every fragment of the document runs, and the agents get what it says", async () => {
  const bed = await openBed({ "all-fragments": FRAGMENTS });
  const answer = (request: SeenRequest): unknown =>
    request.task_type === "ai" ? '{"seen": true}' : { did: request.parameters["operation"] ?? "exec" };
  const agents = await Promise.all(
    ["data", "ai", "exec"].map((kind) =>
      openForeignAgent(port, bed.of(kind), (request, reply) => {
        void reply({ correlation_id: request.correlation_id, status: "completed", output: answer(request) });
      }),
    ),
  );
  const id = await bed.start("all-fragments", {}, "fragments-1");
  const ended = await bed.reaches(id, "completed");
  expect(ended["tasks"]).toMatchObject([
    { id: "task1", name: "First Task", type: "data", status: "completed", attempts: 1 },
    { id: "task2", type: "ai", status: "completed" },
    { id: "run_script", type: "exec", status: "completed" },
    { id: "both", type: "parallel", status: "completed" },
    { id: "quality_check", type: "condition", status: "completed" },
    { id: "publish_results", status: "completed" },
    { id: "retry_processing", status: "skipped" },
    { id: "both.0", status: "completed" },
    { id: "both.1", status: "completed" },
  ]);
  const [data, ai, exec] = agents.map(({ seen }) => seen);
  expect(data?.map(({ parameters, timeout }) => [parameters["operation"], timeout])).toEqual([
    ["traverse", 60],
    ["search", 600],
    ["enrich", 600],
  ]);
  expect(data?.[0]).toMatchObject({
    workflow_correlation_id: "fragments-1",
    parameters: { query: { cypher: "MATCH (n) RETURN n LIMIT 7" }, enrich: ["metadata"] },
  });
  expect(ai?.[0]?.parameters).toMatchObject({ provider: "anthropic", prompt: 'Look at this: {"did":"traverse"}' });
  expect(exec?.[0]?.parameters).toMatchObject({ files: [{ name: "script.py", content: "import json\n# more\n" }] });
});

test.skipIf(skips)(
  "an execution goes on after a death, and a task whose agent is silent is tried again, although its workflow says nothing about recovery",
  { timeout: 60_000 },
  async () => {
    const silent = `id: silent
version: "1.0"
workflow:
  tasks:
    - id: first
      type: data
      parameters: {operation: search}
    - id: second
      type: data
      depends_on: [first]
      parameters: {operation: enrich}
      timeout: 3
      retry_policy: {max_retries: 1, backoff_type: fixed, initial_delay: 1s}
`;
    const bed = await openBed({ silent });
    const agent = await openForeignAgent(port, bed.of("data"), ({ correlation_id, parameters, attempt }, reply) => {
      // The message is lost with the agent that had it.
      if (parameters["operation"] === "enrich" && attempt === 0) return;
      void reply({ correlation_id, status: "completed", output: attempt });
    });
    const id = await bed.start("silent", {}, "silent-1");
    await eventually(() => expect(agent.seen).toHaveLength(2));
    // The agent has it, durably.
    await eventually(async () => {
      const { rows } = await bed.database.reads.query<{ records: string }>(
        "SELECT records FROM orchestrator.journal WHERE run_id = $1",
        [id],
      );
      expect(rows.flatMap(({ records }) => records.match(/task\.started/g) ?? [])).toHaveLength(2);
    });
    await bed.bed.restart("SIGKILL");
    const ended = await bed.reaches(id, "completed");
    expect(ended).toMatchObject({ tasks: [{ attempts: 1 }, { attempts: 2 }], output: { second: 1 } });
    expect(agent.seen.map(({ task_id, attempt }) => [task_id, attempt])).toEqual([
      ["first", 0],
      ["second", 0],
      ["second", 1],
    ]);
    expect((await bed.read("/status"))["recovery"]).toMatchObject({ orphans: 0, resumed: 0 });
  },
);

test.skipIf(skips)("EXECUTION_TTL removes the key of an execution that has ended, never its history", async () => {
  const short = 'id: short\nversion: "1.0"\nworkflow: {tasks: [{id: t, type: noop, parameters: {output: 1}}]}\n';
  const bed = await openBed({ short }, { EXECUTION_TTL: "2s", ORCHESTRATOR_LOG_FORMAT: "json" });
  const id = await bed.start("short", {}, "ttl-1");
  await bed.reaches(id, "completed");
  const key = `${bed.prefix}run:${id}:state`;
  await eventually(() => expect(runRedisCommand(port, "GET", key)).toContain('"status":"COMPLETED"'));
  const left = Number(runRedisCommand(port, "PTTL", key));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(2_000);
  await eventually(() => expect(runRedisCommand(port, "EXISTS", key)).toBe("0"));
  expect(await bed.reaches(id, "completed")).toMatchObject({ correlation_id: "ttl-1", output: { t: 1 } });
  const { rows } = await bed.database.reads.query("SELECT status FROM flow_run_history WHERE run_id = $1", [id]);
  expect(rows).toEqual([{ status: "COMPLETED" }]);
});
