/**
 * The document of seed 004, executed: its commands, paths, fields, errors, tables, metrics, and variables, with `curl`
 * and `psql` as in the document, and clients in its language. What it cannot hold is in docs/seeds.md.
 */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ROOT, runProgram } from "../clients/programs.ts";
import { PYTHON_MISSING, preparePackages } from "../clients/python-environment.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { cleanEnvironment, type ServeProcess, startServe, startServeForTest } from "../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../support/temporary-folder.ts";
import { curl } from "./curl.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** The request of the document. */
const ORDER = {
  goal: "Analyze sentiment of user reviews",
  constraints: ["No PII in output", "Complete within 5 minutes"],
  context: { user_id: "user123", source: "web_app" },
  acceptance_criteria: ["Sentiment score between -1 and 1"],
  priority: "high",
  budget: { max_cost_usd: 0.5, max_time_seconds: 300, max_tokens: 2000 },
};

const JSON_BODY = ["-X", "POST", "-H", "Content-Type: application/json", "-d"] as const;

describe("seed 004", async () => {
  const { url: databaseUrl } = await createTestDatabase();
  const folder = createFileFolder();
  let service: ServeProcess;
  let port = 0;

  const start = async (): Promise<void> => {
    service = await startServe({
      folder,
      port,
      env: {
        // As in the document, with the driver in the URL.
        ORCHESTRATOR_DATABASE_URL: databaseUrl.replace(/^postgres(ql)?:/, "postgresql+asyncpg:"),
        ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION: "false",
        ...{ ORCHESTRATOR_LOG_LEVEL: "INFO", ORCHESTRATOR_HOST: "127.0.0.1", ORCHESTRATOR_LOG_FORMAT: "json-seed" },
      },
    });
  };
  beforeAll(async () => {
    port = await findFreePort();
    await start();
  }, 120_000);
  afterAll(async () => {
    await service.stop("SIGKILL");
  });

  const url = () => `http://localhost:${port}`;
  const get = (path: string, ...args: string[]) => curl(url(), path, ...args);
  const submit = (order: unknown, ...args: string[]) =>
    get("/submit", ...JSON_BODY, typeof order === "string" ? order : JSON.stringify(order), ...args);
  const post = (path: string, body: object) => get(path, ...JSON_BODY, JSON.stringify(body));
  const psql = (...args: string[]): string =>
    execFileSync("psql", [databaseUrl, "--no-psqlrc", "--tuples-only", "--no-align", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  const rows = (query: string): readonly Record<string, unknown>[] =>
    JSON.parse(psql("-c", `SELECT coalesce(json_agg(q), '[]') FROM (${query}) AS q`));
  /** Lets goals begin, one at a time. */
  const declare = () => post("/v1/limits/orchestrator.dev%2Fgoals:put", { maxConcurrent: 1 });
  const undeclare = () => get("/v1/limits/orchestrator.dev%2Fgoals?force=true", "-X", "DELETE");

  describe("endpoints", () => {
    test("1 and 2: a task is submitted, read, and is a row", async () => {
      const { status, body } = await submit(ORDER);
      expect([status, body]).toEqual([
        200,
        {
          task_id: expect.stringMatching(UUID),
          ...{ goal: ORDER.goal, status: "pending", priority: "high", created_at: TIME, metadata: ORDER.context },
        },
      ]);
      const read = await get(`/tasks/${body.task_id}`);
      expect([read.status, read.body]).toEqual([200, { ...body, updated_at: body.created_at }]);
      expect((await get(`/tasks/${body.task_id.toUpperCase().replaceAll("-", "")}`)).body).toEqual(read.body);
      expect(rows(`SELECT * FROM tasks WHERE id = '${body.task_id}'`)).toEqual([
        {
          id: body.task_id,
          ...{ goal: ORDER.goal, status: "pending", priority: "high", constraints: ORDER.constraints },
          ...{ context: ORDER.context, acceptance_criteria: ORDER.acceptance_criteria, task_metadata: {} },
          ...{ assigned_arm: null, max_cost_usd: 0.5, max_time_seconds: 300, max_tokens: 2000 },
          ...{ created_at: body.created_at.slice(0, -1).replace(/\.?0+$/, ""), updated_at: expect.any(String) },
        },
      ]);
    });

    test("a task that says only its goal has the defaults of the columns", async () => {
      const { body } = await submit({ goal: "g", budget: null, unknown: 1 });
      expect(body).toMatchObject({ status: "pending", priority: "medium", metadata: {} });
      const defaults = `SELECT constraints, context, acceptance_criteria, max_cost_usd, max_time_seconds, max_tokens`;
      expect(rows(`${defaults} FROM tasks WHERE id = '${body.task_id}'`)).toEqual([
        {
          ...{ constraints: [], context: {}, acceptance_criteria: [] },
          ...{ max_cost_usd: 1, max_time_seconds: 600, max_tokens: 10_000 },
        },
      ]);
    });

    test("a repeated key is the same task, with another body it is refused", async () => {
      const first = await submit(ORDER, "-H", "Idempotency-Key: k1");
      expect((await submit(ORDER, "-H", "Idempotency-Key: k1")).body).toEqual(first.body);
      expect(await submit({ goal: "x" }, "-H", "Idempotency-Key: k1")).toMatchObject({
        ...{ status: 409, body: { detail: expect.stringContaining("request_id k1") } },
      });
    });

    test.each<[string, unknown, readonly unknown[], string, string]>([
      ["nothing", "", ["body"], "Field required", "missing"],
      ["bad JSON", "{", ["body", 0], "JSON decode error", "json_invalid"],
      ["a list", [], ["body"], "Input should be a valid dictionary", "model_attributes_type"],
      ["no goal", {}, ["body", "goal"], "Field required", "missing"],
      ["an empty goal", { goal: "" }, ["body", "goal"], "String should have at least 1 character", "string_too_short"],
      ["a goal of another type", { goal: 5 }, ["body", "goal"], "Input should be a valid string", "string_type"],
      [
        "an unknown priority",
        { goal: "g", priority: "urgent" },
        ["body", "priority"],
        "Input should be 'low', 'medium', 'high' or 'critical'",
        "enum",
      ],
      [
        "a constraint of another type",
        { goal: "g", constraints: ["a", null] },
        ["body", "constraints", 1],
        "Input should be a valid string",
        "string_type",
      ],
      [
        "a context of another type",
        { goal: "g", context: [] },
        ["body", "context"],
        "Input should be a valid dictionary",
        "dict_type",
      ],
      [
        "a fraction of a token",
        { goal: "g", budget: { max_tokens: 1.5 } },
        ["body", "budget", "max_tokens"],
        "Input should be a valid integer, got a number with a fractional part",
        "int_from_float",
      ],
      [
        "text for a number",
        { goal: "g", budget: { max_cost_usd: "much" } },
        ["body", "budget", "max_cost_usd"],
        "Input should be a valid number, unable to parse string as a number",
        "float_parsing",
      ],
    ])("%s is refused as pydantic does", async (_name, order, loc, msg, type) => {
      const before = rows("SELECT count(*) FROM tasks");
      const { status, body } = await submit(order);
      expect([status, body.detail]).toEqual([422, [expect.objectContaining({ loc, msg, type })]]);
      expect(rows("SELECT count(*) FROM tasks")).toEqual(before);
    });

    test("numbers may be text, as in pydantic", async () => {
      const { body } = await submit({ goal: "g", budget: { max_cost_usd: "0.25", max_tokens: "7" } });
      const [row] = rows(`SELECT max_cost_usd, max_tokens FROM tasks WHERE id = '${body.task_id}'`);
      expect(row).toEqual({ max_cost_usd: 0.25, max_tokens: 7 });
    });

    test("errors of paths, ids, and sizes have a detail", async () => {
      expect(await get(`/tasks/${randomUUID()}`)).toMatchObject({ status: 404, body: { detail: "Task not found" } });
      expect(await get("/tasks/nope")).toMatchObject({
        status: 422,
        body: { detail: [{ loc: ["path", "task_id"], msg: "Input should be a valid UUID", type: "uuid_parsing" }] },
      });
      const wrong = await get("/submit");
      expect([wrong.status, wrong.body, wrong.headers.get("allow")]).toEqual([
        405,
        { detail: "Method Not Allowed" },
        "POST",
      ]);
      expect(await get("/tasks/a/b")).toMatchObject({ status: 404, body: { detail: "Not Found" } });
      const file = join(createTemporaryFolder(), "large.json");
      writeFileSync(file, JSON.stringify({ goal: "g", context: { text: "x".repeat(2 ** 23) } }));
      expect(await get("/submit", ...JSON_BODY, `@${file}`)).toMatchObject({
        status: 413,
        body: { detail: expect.stringContaining("larger than the limit") },
      });
    });

    test("3, 4, and 6: health, readiness, and the root", async () => {
      expect(await get("/health")).toMatchObject({ status: 200, body: { status: "healthy" } });
      const ready = await get("/ready");
      const expected = { status: "ready", database: "connected", reflex_layer: "disabled" };
      expect([ready.status, ready.body]).toEqual([200, expected]);
      expect((await get("/")).body).toMatchObject({
        ...{ service: "orchestrator", version: expect.stringMatching(/^\d+\.\d+/), status: "operational" },
      });
    });

    test("5: metrics, on this port", async () => {
      const read = () => execFileSync("curl", ["--silent", `${url()}/metrics`], { encoding: "utf8" });
      const value = (text: string, series: string): number =>
        Number(new RegExp(`^${series.replace(/[{}/]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
      const before = read();
      for (const name of ["tasks", "api_requests", "errors"])
        expect(before).toContain(`# TYPE octollm_orchestrator_${name}_total counter`);
      await submit({ goal: "counted" });
      await submit({});
      const after = read();
      const grown = (series: string) => value(after, series) - value(before, series);
      expect(grown('octollm_orchestrator_tasks_total{status="pending"}')).toBe(1);
      expect(grown('octollm_orchestrator_tasks_total{status="completed"}')).toBe(0);
      expect(grown('octollm_orchestrator_api_requests_total{endpoint="/submit"}')).toBe(2);
      expect(grown('octollm_orchestrator_errors_total{type="validation"}')).toBe(1);
    });
  });

  describe("the tables", () => {
    test("\\d tasks and \\d task_results show what the document says", () => {
      const shown = psql("--pset", "tuples_only=off", "-c", "\\d tasks", "-c", "\\d task_results");
      for (const line of [
        ...[
          "id|uuid||not null|",
          "goal|character varying||not null|",
          "status|taskstatus||not null|'pending'::taskstatus",
        ],
        ...["priority|priority||not null|'medium'::priority", "constraints|jsonb|||'[]'::jsonb"],
        ...[
          "context|jsonb|||'{}'::jsonb",
          "acceptance_criteria|jsonb|||'[]'::jsonb",
          "task_metadata|jsonb|||'{}'::jsonb",
        ],
        ...["assigned_arm|character varying|||", "max_cost_usd|numeric|||1.0", "max_time_seconds|integer|||600"],
        ...["max_tokens|integer|||10000", "created_at|timestamp without time zone|||now()"],
        ...["updated_at|timestamp without time zone|||now()", "result_data|jsonb||not null|", "confidence|numeric|||"],
        ...['"tasks_pkey" PRIMARY KEY, btree (id)', '"idx_tasks_status" btree (status)'],
        ...['"idx_tasks_created_at" btree (created_at)', '"idx_task_results_task_id" btree (task_id)'],
        ...["FOREIGN KEY (task_id) REFERENCES tasks(id)", "confidence >= 0.0 AND confidence <= 1.0"],
      ])
        expect(shown).toContain(line);
      expect(psql("-c", "SELECT enum_range(NULL::taskstatus), enum_range(NULL::priority)")).toBe(
        "{pending,processing,completed,failed,cancelled}|{low,medium,high,critical}",
      );
    });

    test.each([
      "INSERT INTO tasks (id, goal) VALUES (gen_random_uuid(), 'g')",
      "UPDATE tasks SET status = 'completed'",
      "DELETE FROM tasks",
      "TRUNCATE tasks CASCADE",
      "INSERT INTO task_results (id, task_id, result_data) SELECT gen_random_uuid(), id, '{}' FROM tasks",
    ])("%s is refused, also to their owner", (statement) => {
      const before = rows("SELECT count(*) FROM tasks");
      expect(() => psql("-v", "VERBOSITY=verbose", "-c", statement)).toThrow(/42501.*can only be read/s);
      expect(rows("SELECT count(*) FROM tasks")).toEqual(before);
    });
  });

  test("a status goes on when somebody else does the goals: by priority, with a result and its confidence", async () => {
    for (const { task_id } of rows("SELECT id AS task_id FROM tasks")) await post(`/v1/runs/${task_id}:cancel`, {});
    const [low, critical] = [
      await submit({ goal: "a", priority: "low" }),
      await submit({ ...ORDER, priority: "critical" }),
    ];
    const [first, second] = [critical?.body.task_id as string, low?.body.task_id as string];
    const { body: listed } = await get("/v1/goals?status=GOAL_STATUS_PENDING");
    expect(listed.goals.map((goal: { goalId: string }) => goal.goalId)).toEqual([first, second]);
    const { body: pending } = await get(`/v1/goals/${first}`);
    expect(pending.goal.pendingReason).toContain("orchestrator.dev/goals");
    await declare();
    try {
      await eventually(async () => expect((await get(`/tasks/${first}`)).body.status).toBe("processing"));
      expect((await get(`/tasks/${second}`)).body.status).toBe("pending");
      const output = { score: 0.5, text: "mild" };
      const refused = await post(`/v1/runs/${first}:signal`, { signalName: "result", data: { output, confidence: 2 } });
      expect(refused.status).toBe(400);
      await post(`/v1/runs/${first}:signal`, { signalName: "result", data: { output, confidence: 0.9 } });
      await eventually(async () => expect((await get(`/tasks/${first}`)).body.status).toBe("completed"));
      await eventually(async () => expect((await get(`/tasks/${second}`)).body.status).toBe("processing"));
      await eventually(() =>
        expect(rows(`SELECT task_id, result_data, confidence FROM task_results`)).toEqual([
          { task_id: first, result_data: output, confidence: 0.9 },
        ]),
      );
      await post(`/v1/runs/${second}:cancel`, {});
      await eventually(async () => expect((await get(`/tasks/${second}`)).body.status).toBe("cancelled"));
      const late = await submit({ goal: "late", budget: { max_time_seconds: 1 } });
      await eventually(async () => expect((await get(`/tasks/${late.body.task_id}`)).body.status).toBe("failed"));
      await eventually(() =>
        expect(
          rows(`SELECT status FROM tasks WHERE id IN ('${first}', '${second}', '${late.body.task_id}') ORDER BY 1`),
        ).toEqual([{ status: "completed" }, { status: "failed" }, { status: "cancelled" }]),
      );
      const { body } = await get(`/tasks/${first}`);
      expect(Date.parse(body.updated_at)).toBeGreaterThan(Date.parse(body.created_at));
    } finally {
      await undeclare();
    }
  });

  test("runs that are goals are in no list of runs that does not ask for them", async () => {
    const { body } = await submit({ goal: "hidden" });
    const ids = async (filter: string) =>
      ((await get(`/v1/runs?filter=${encodeURIComponent(filter)}`)).body.runs ?? []).map(
        (run: { runId: string }) => run.runId,
      );
    expect(await ids("")).toEqual([]);
    expect(await ids('flow_id == "orchestrator-goal"')).toContain(body.task_id);
  });

  test("the log has the keys of the document", async () => {
    const { body } = await submit({ goal: "logged", priority: "critical" });
    await eventually(() => {
      const line = service
        .output()
        .split("\n")
        .find((text) => text.includes(body.task_id) && text.includes("Task submitted successfully"));
      expect(JSON.parse(line ?? "{}")).toMatchObject({
        ...{ timestamp: TIME, level: "INFO", message: "Task submitted successfully" },
        ...{ task_id: body.task_id, priority: "critical" },
      });
      expect(service.output()).not.toContain("logged");
    });
  });

  test("a kill right after the answer loses nothing", { timeout: 120_000 }, async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => submit({ goal: `kept ${at}` })));
    await service.stop("SIGKILL");
    await start();
    for (const { body } of answers) expect((await get(`/tasks/${body.task_id}`)).body).toMatchObject(body);
    expect(rows("SELECT count(*) FROM tasks WHERE goal LIKE 'kept %'")).toEqual([{ count: 50 }]);
  });

  const CLIENT = `
import asyncio, sys, uuid, httpx, psycopg

async def main(base, database):
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        answers = await asyncio.gather(*[client.post("/submit", json={"goal": f"python {at}"}) for at in range(50)])
        ids = [uuid.UUID(answer.raise_for_status().json()["task_id"]) for answer in answers]
        assert (await client.get(f"/tasks/{ids[0]}")).json()["status"] == "pending"
        bad = await client.post("/submit", json={"priority": "x"})
        assert bad.status_code == 422 and [problem["type"] for problem in bad.json()["detail"]] == ["missing", "enum"], bad.text
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT id, max_cost_usd FROM tasks WHERE id = ANY(%s)", [ids]).fetchall()
        print(len(found), {str(cost) for _, cost in found})

asyncio.run(main(*sys.argv[1:]))
`;

  test.skipIf(PYTHON_MISSING)("clients in Python, 50 at once", { timeout: 240_000 }, async () => {
    const python = await preparePackages("goals", ["httpx==0.28.1", "psycopg[binary]==3.3.9"]);
    expect(await runProgram(python, ["-c", CLIENT, url(), databaseUrl])).toBe("50 {'1'}\n");
  });

  test("tables of ours that somebody drops are there again after a start, with what they showed", {
    timeout: 120_000,
  }, async () => {
    await eventually(() => expect(rows("SELECT 1 FROM orchestrator.unshown_goals")).toEqual([]));
    const before = rows("SELECT id, status, created_at, max_cost_usd FROM tasks ORDER BY id");
    const results = rows("SELECT * FROM task_results");
    psql("-c", "DROP TABLE tasks CASCADE");
    const { status, body } = await submit({ goal: "without tables" });
    expect([status, (await get(`/tasks/${body.task_id}`)).body.status]).toEqual([200, "pending"]);
    await service.stop("SIGTERM");
    await start();
    await eventually(() => {
      const after = rows("SELECT id, status, created_at, max_cost_usd FROM tasks ORDER BY id");
      expect(after.filter(({ id }) => id !== body.task_id)).toEqual(before);
      expect(after).toHaveLength(before.length + 1);
      expect(rows("SELECT * FROM task_results")).toEqual(results);
    });
  });
});

describe("a database with tables of somebody else", async () => {
  const { url: databaseUrl } = await createTestDatabase({ empty: true });
  const psql = (query: string) =>
    execFileSync("psql", [databaseUrl, "--no-psqlrc", "-At", "-c", query], { encoding: "utf8" }).trim();

  test("they stop no start, and ours are elsewhere, with a warning", { timeout: 120_000 }, async () => {
    psql("CREATE TABLE public.tasks (id integer, title text)");
    psql("INSERT INTO public.tasks VALUES (1, 'theirs')");
    const service = await startServeForTest({
      folder: createTemporaryFolder(),
      env: { DATABASE_URL: databaseUrl, ORCHESTRATOR_LOG_FORMAT: "json" },
    });
    const { body } = await curl(`http://localhost:${service.port}`, "/submit", ...JSON_BODY, '{"goal":"g"}');
    expect(psql("SELECT * FROM public.tasks")).toBe("1|theirs");
    expect(psql("SELECT id FROM orchestrator.tasks")).toBe(body.task_id);
    await eventually(() => expect(service.output()).toContain("public.tasks"));
  });
});

test("the variables of the document are the configuration", () => {
  const variables = `ORCHESTRATOR_DATABASE_URL=postgresql+asyncpg://user:password@localhost:5432/octollm
ORCHESTRATOR_REFLEX_URL=http://localhost:8080
ORCHESTRATOR_ENABLE_REFLEX_INTEGRATION=true
ORCHESTRATOR_LOG_LEVEL=INFO
ORCHESTRATOR_HOST=0.0.0.0
ORCHESTRATOR_PORT=8000
`;
  const printed = execFileSync(
    "bash",
    ["-c", 'set -a; eval "$1"; exec "$2" src/main.ts config print', "-", variables, process.execPath],
    { cwd: ROOT, encoding: "utf8", env: cleanEnvironment() },
  );
  for (const [, name = ""] of variables.matchAll(/^(\w+)=/gm))
    expect(printed, name).toMatch(new RegExp(`from ${name}$`, "m"));
  expect(parse(printed)).toMatchObject({ server: { host: "0.0.0.0", port: 8000 }, log: { level: "info" } });
});
