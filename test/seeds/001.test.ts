/**
 * The document of seed 001, executed: its commands, variables, endpoints, templates, and promises, with `curl` as in
 * the document. What it cannot hold is in docs/seeds.md.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { createSeedBed } from "./001/bed.ts";
import { TEMPLATES } from "./001/templates.ts";

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const ORDER = {
  correlation_id: "workflow-001",
  workflow_template: "data-analysis-basic",
  variables: { query_limit: 50, analysis_prompt: "Identify key trends in the data" },
};

describe("seed 001", async () => {
  const bed = await createSeedBed();
  const waiting = (): string => bed.start({ workflow_template: "waits", variables: { who: "x" } }).body.execution_id;

  describe("executions", () => {
    test("one starts from a template, runs with its variables, and shows its tasks", async () => {
      const { status, body } = bed.start(ORDER);
      expect([status, body]).toEqual([
        202,
        {
          execution_id: expect.stringMatching(/^\w{26}$/),
          correlation_id: "workflow-001",
          status: expect.stringMatching(/^(pending|running|completed)$/),
          workflow_template: "data-analysis-basic",
          created_at: TIME,
        },
      ]);
      const prompt = "Identify key trends in the data: MATCH (n) RETURN n LIMIT 50";
      const ended = await bed.status(body.execution_id);
      expect(ended).toEqual({
        execution_id: body.execution_id,
        correlation_id: "workflow-001",
        status: "completed",
        workflow_template: "data-analysis-basic",
        created_at: body.created_at,
        started_at: TIME,
        completed_at: TIME,
        progress: 1,
        tasks: [
          { id: "graph_query", name: "Graph Query", type: "noop", status: "completed", attempts: 1, error: null },
          { id: "analysis", name: "analysis", type: "noop", status: "completed", attempts: 1, error: null },
        ],
        error: null,
        output: { analysis: prompt },
      });
      expect(bed.curl(`/api/v1/workflows/${body.execution_id}`).body).toEqual({
        ...ended,
        variables: { ...ORDER.variables, limit: 50 },
        flow: { id: "data-analysis-basic", version: "1.0" },
        user_id: "",
      });
    });

    test("one that waits is running, with its progress; one that fails has its error and those of its tasks", async () => {
      const id = waiting();
      await eventually(async () =>
        expect(await bed.status(id, "running")).toMatchObject({
          correlation_id: id,
          completed_at: null,
          progress: 0.5,
          tasks: [
            { id: "before", status: "completed" },
            { id: "gate", status: "running" },
          ],
          output: null,
        }),
      );
      const failed = bed.start({ workflow_template: "fails" }).body.execution_id;
      expect(await bed.status(failed, "failed")).toMatchObject({
        completed_at: TIME,
        error: { code: "EXPRESSION_FAILED", message: expect.any(String) },
        tasks: [{ status: "completed" }, { status: "failed", error: { code: "EXPRESSION_FAILED" } }],
      });
    });

    test("the same request again is another one, unless it carries a key", () => {
      const ids = [bed.start(ORDER), bed.start(ORDER)].map(({ body }) => body.execution_id);
      expect(new Set(ids).size).toBe(2);
      const key = ["-H", "Idempotency-Key: order-17"];
      const [first, again] = [bed.start(ORDER, ...key), bed.start(ORDER, ...key)];
      expect([again.status, again.body.execution_id, again.body.created_at]).toEqual([
        202,
        first.body.execution_id,
        first.body.created_at,
      ]);
      expect(bed.start({ ...ORDER, variables: {} }, ...key)).toMatchObject({
        status: 409,
        body: { error: { code: "REQUEST_ID_REUSED" } },
      });
    });

    test("a list has pages and filters", async () => {
      const ids = [1, 2, 3].map(
        () => bed.start({ workflow_template: "data-analysis-basic", correlation_id: "page" }).body.execution_id,
      );
      for (const id of ids) await bed.status(id);
      const query = "correlation_id=page&status=completed&workflow_template=data-analysis-basic&limit=2";
      const first = bed.curl(`/api/v1/workflows?${query}`).body;
      expect(first.workflows[0]).toEqual({
        execution_id: ids[2],
        correlation_id: "page",
        status: "completed",
        workflow_template: "data-analysis-basic",
        created_at: TIME,
        completed_at: TIME,
      });
      const second = bed.curl(`/api/v1/workflows?${query}&page_token=${first.next_page_token}`).body;
      const found = [...first.workflows, ...second.workflows].map(({ execution_id }) => execution_id);
      expect([found, second.next_page_token]).toEqual([ids.toReversed(), ""]);
      expect(bed.curl("/api/v1/workflows?status=busy")).toMatchObject({
        status: 400,
        body: { error: { code: "INVALID_REQUEST", message: expect.stringContaining("pending, running") } },
      });
    });

    test("a run that was started by another interface is none", () => {
      const json = ["-H", "Content-Type: application/json", "-d"];
      const document = { id: "other", workflow: { tasks: [{ id: "t", type: "noop" }] } };
      bed.curl("/v1/flows", ...json, JSON.stringify({ source: JSON.stringify(document) }));
      const { run } = bed.curl("/v1/runs", ...json, '{"flowId": "other", "correlationId": "page-2"}').body;
      expect(run.flowId).toBe("other");
      expect(bed.curl("/api/v1/workflows?correlation_id=page-2").body.workflows).toEqual([]);
    });

    test.each([
      ["POST", (id: string) => ["-X", "POST", `/api/v1/workflows/${id}/cancel`]],
      ["DELETE", (id: string) => ["-X", "DELETE", `/api/v1/workflows/${id}`]],
    ])("%s cancels one, once", async (_verb, command) => {
      const id = waiting();
      const cancel = (of: string) => bed.curl(command(of).at(-1) ?? "", ...command(of).slice(0, -1));
      const { status, body } = cancel(id);
      expect([status, body.execution_id]).toEqual([200, id]);
      expect(["cancelling", "cancelled"]).toContain(body.status);
      expect(await bed.status(id, "cancelled")).toMatchObject({ error: null, completed_at: TIME });
      expect(cancel(id)).toMatchObject({ status: 200, body: { status: "cancelled" } });
      const { execution_id: done } = bed.start(ORDER).body;
      await bed.status(done);
      expect(cancel(done)).toMatchObject({ status: 409, body: { error: { code: "RUN_FINISHED" } } });
    });

    test("a workflow that comes with its request runs without a template", async () => {
      const workflow = {
        id: "inline",
        name: "Inline",
        variables: { limit: 5, unit: "rows" },
        tasks: [{ id: "t", type: "noop", parameters: { output: "${limit} ${unit}" } }],
      };
      const { status, body } = bed.start({ workflow, variables: { limit: 7 } });
      expect([status, body.workflow_template]).toEqual([202, null]);
      expect((await bed.status(body.execution_id)).output).toEqual({ t: "7 rows" });
      expect(bed.start({ workflow, workflow_template: "waits" }).status).toBe(400);
      expect(bed.start({ workflow: { id: "x", tasks: [{ id: "t", type: "nope" }] } })).toMatchObject({
        status: 400,
        body: { error: { code: "FLOW_INVALID", message: expect.stringContaining("workflow.tasks[0].type") } },
      });
    });

    test("keys that the service does not know stay with the execution", async () => {
      const { execution_id: id } = bed.start({ ...ORDER, priority: 3, user_id: "u-1", variables: null }).body;
      const { run } = bed.curl(`/v1/runs/${id}`).body;
      expect(JSON.parse(Buffer.from(run.executionContextJson, "base64").toString())).toEqual({ priority: 3 });
      expect([run.userId, run.labels]).toEqual([
        "u-1",
        { "orchestrator.dev/source": "workflows", "orchestrator.dev/template": "data-analysis-basic" },
      ]);
    });
  });

  describe("what is refused", () => {
    test.each([
      ["an unknown template", { workflow_template: "nope" }, 404, "TEMPLATE_NOT_FOUND", /nope does not exist/],
      ["an undeclared variable", { ...ORDER, variables: { query_limt: 5 } }, 400, "FLOW_INPUT_INVALID", /query_limt/],
      ["a wrong type", { ...ORDER, variables: { query_limit: "5" } }, 400, "FLOW_INPUT_INVALID", /of type integer/],
      ["a missing variable", { workflow_template: "waits" }, 400, "FLOW_INPUT_INVALID", /who.*Who is waited for/],
      ["no template", { correlation_id: "c" }, 400, "INVALID_REQUEST", /workflow_template: is missing/],
      ["a list of variables", { ...ORDER, variables: [] }, 400, "INVALID_REQUEST", /variables: expected an object/],
      ["no JSON", "{not json", 400, "INVALID_JSON", /./],
      ["a list", "[]", 400, "INVALID_REQUEST", /JSON object/],
    ])("%s", (_what, body, status, code, message) => {
      const answered = bed.start(body);
      expect([answered.status, answered.headers.get("content-type")]).toEqual([
        status,
        "application/json; charset=utf-8",
      ]);
      expect(answered.body).toEqual({ error: { code, message: expect.stringMatching(message) } });
    });

    test("several mistakes at once, and all are named", () => {
      const { message } = bed.start({ ...ORDER, variables: { query_limit: "5", analysis_prompt: 3, x: 1 } }).body.error;
      for (const name of ["query_limit", "analysis_prompt", "x"]) expect(message).toContain(name);
    });

    test.each([
      ["an unknown execution", [], "/api/v1/workflows/nobody/status", 404, "RUN_NOT_FOUND"],
      ["an unknown path", [], "/api/v1/nothing", 404, "ROUTE_NOT_FOUND"],
      ["another method", ["-X", "PUT"], "/api/v1/workflows", 405, "HTTP_METHOD_NOT_ALLOWED"],
      ["another type", ["-d", "{}"], "/api/v1/workflows", 415, "PROTOCOL_UNSUPPORTED"],
      [
        "a foreign page",
        ["-X", "DELETE", "-H", "Origin: https://evil.example"],
        "/api/v1/workflows/x",
        403,
        "ORIGIN_REFUSED",
      ],
    ])("%s", (_what, args, path, status, code) => {
      expect(bed.curl(path, ...args)).toMatchObject({ status, body: { error: { code, message: expect.any(String) } } });
    });

    test("methods are named", () => {
      const allowed = bed.curl("/api/v1/workflows", "-X", "PUT").headers.get("allow");
      expect(allowed?.split(", ").sort()).toEqual(["GET", "HEAD", "POST"]);
      expect(bed.curl("/api/v1/workflows/x", "-X", "OPTIONS")).toMatchObject({ status: 204 });
      expect(bed.curl("/api/v1/templates", "--head")).toMatchObject({ status: 200, body: null });
    });
  });

  describe("templates", () => {
    test("are listed with their variables", () => {
      const { body } = bed.curl("/api/v1/templates");
      expect([body.total, body.templates.map(({ id }: { id: string }) => id)]).toEqual([
        3,
        ["data-analysis-basic", "fails", "waits"],
      ]);
      expect(body.templates[0]).toEqual({
        id: "data-analysis-basic",
        name: "Data Analysis Pipeline",
        description: "Reads a graph and analyzes what it finds",
        category: "data-science",
        version: "1.0",
        variables: [
          {
            name: "query_limit",
            type: "integer",
            description: "How many nodes are read",
            required: false,
            default: 10,
          },
          { name: "analysis_prompt", type: "string", description: "", required: false, default: "Summarize" },
        ],
      });
      expect(bed.curl("/api/v1/templates/waits").body).toMatchObject({ id: "waits", source: TEMPLATES["waits.yaml"] });
      expect(bed.curl("/api/v1/templates?category=operations").body.total).toBe(1);
      expect(bed.curl("/api/v1/templates/nope")).toMatchObject({
        status: 404,
        body: { error: { code: "TEMPLATE_NOT_FOUND" } },
      });
    });

    test("a changed file runs as a version of its own; a broken one keeps its last good content", async () => {
      const version = (): string => {
        const { execution_id: id } = bed.start({ workflow_template: "changes" }).body;
        return bed.curl(`/api/v1/workflows/${id}`).body.flow.version;
      };
      const text = (output: string): string =>
        `id: changes\nversion: "1.0"\nworkflow: {tasks: [{id: t, type: noop, parameters: {output: ${output}}}]}\n`;
      bed.write("changes.yaml", text("a"));
      await eventually(() => expect(version()).toBe("1.0"));
      bed.write("changes.yaml", text("b"));
      await eventually(() => expect(version()).toMatch(/^1\.0\+[0-9a-f]{8}$/));
      const second = version();
      bed.write("changes.yaml", "id: changes\nworkflow: {");
      await eventually(() =>
        expect(bed.curl("/status").body.templates.refused).toMatchObject([
          { file: "changes.yaml", keeps: "changes", error: { code: "FLOW_SOURCE_INVALID" } },
        ]),
      );
      expect(version()).toBe(second);
      rmSync(join(bed.templates, "changes.yaml"));
      await eventually(() => expect(bed.start({ workflow_template: "changes" }).status).toBe(404));
    });

    test("one that was never valid names its problems", async () => {
      bed.write("broken.yaml", "id: broken\nworkflow: {tasks: [{id: t, type: nope}]}\n");
      await eventually(() =>
        expect(bed.start({ workflow_template: "broken" }).body).toMatchObject({
          error: { code: "FLOW_INVALID", message: expect.stringContaining("workflow.tasks[0].type") },
        }),
      );
      rmSync(join(bed.templates, "broken.yaml"));
    });
  });

  describe.skipIf(inject("redis") === 0)("task types", () => {
    test.each([
      [
        "data",
        "{type: data, parameters: {operation: traverse, query: {cypher: 'MATCH (n)-[r]-(m) RETURN n'}, enrich: [meta]}}",
      ],
      ["a search", "{type: data, parameters: {operation: search}}"],
      [
        "ai",
        "{type: ai, parameters: {provider: anthropic, prompt: Analyze, model: m, response_format: json, max_tokens: 9}}",
      ],
      [
        "exec",
        "{type: exec, parameters: {image: 'python:3.9-slim', command: [python, /w/p.py], files: [{name: p.py, content: x}]}}",
      ],
      [
        "parallel",
        "{type: parallel, parameters: {tasks: [{type: data, parameters: {operation: search}}, {type: ai, parameters: {prompt: x}}]}}",
      ],
      ["condition", "{type: condition, condition: '${score > 0.8}', on_success: [yes], on_failure: [no]}"],
      [
        "retries",
        "{type: noop, retry_policy: {max_retries: 2, backoff_type: exponential, initial_delay: 1s}, timeout: 60}",
      ],
    ])("%s registers as the document writes it", (_what, task) => {
      const ends = task.includes("condition:") ? '\n    - {id: "yes", type: noop}\n    - {id: "no", type: noop}' : "";
      const source = `id: fragment
variables: [{name: score, type: number, default: 1}]
workflow:
  tasks:
    - ${task.replace("{", "{id: it, ")}${ends.replaceAll('"', "'")}
`;
      const body = JSON.stringify({ source, validateOnly: true });
      const { status, body: answered } = bed.curl("/v1/flows", "-H", "Content-Type: application/json", "-d", body);
      expect([status, answered.problems ?? []]).toEqual([200, []]);
    });
  });

  describe("monitoring", () => {
    test("the service is healthy", () => {
      expect(bed.curl("/health")).toMatchObject({ status: 200, body: { status: "healthy" } });
    });

    test("the status counts workflows and templates, and knows of Redis", async () => {
      const before = bed.curl("/status").body;
      const id = waiting();
      expect(bed.curl("/status").body.active_workflows).toBe(before.active_workflows + 1);
      bed.curl(`/api/v1/workflows/${id}/cancel`, "-X", "POST");
      await bed.status(id, "cancelled");
      const { active_workflows, templates, redis } = bed.curl("/status").body;
      expect(active_workflows).toBe(before.active_workflows);
      expect(templates).toMatchObject({ count: 3, by_category: { "": 1, "data-science": 1, operations: 1 } });
      expect(redis).toEqual(
        inject("redis") === 0 ? { connected: false, since: null } : { connected: true, since: TIME },
      );
    });

    test("the status counts what ran out of time, and says when idle runs were looked for", async () => {
      const id = bed.start({
        workflow: { id: "late", timeout: "1s", tasks: [{ id: "t", type: "signal", parameters: { name: "go" } }] },
      }).body.execution_id;
      expect(await bed.status(id, "failed")).toMatchObject({ error: { code: "RUN_TIMEOUT" } });
      await eventually(() =>
        expect(bed.curl("/status").body.recovery).toMatchObject({
          timeouts: expect.any(Number),
          ...{ orphans: 0, restarted: 0, resumed: 0, failed: 0, last_run_at: TIME },
        }),
      );
      expect(bed.curl("/status").body.recovery.timeouts).toBeGreaterThan(0);
    });

    test("the variables of the document are those of the service", () => {
      const { execution_id: id } = bed.start({ workflow_template: "waits", variables: { who: "x" } }).body;
      const { run } = bed.curl(`/v1/runs/${id}`).body;
      expect(Date.parse(run.deadlineTime) - Date.parse(run.createTime)).toBe(3_600_000);
      // 0.0.0.0, and a port beside its own.
      expect(bed.curl("/v1/health").status).toBe(200);
      expect(bed.service.port).not.toBe(Number(new URL(bed.url).port));
    });
  });
});
