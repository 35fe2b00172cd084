/**
 * The document of seed 003, executed: its commands, paths, fields, errors, and promises, with `curl` as in the
 * document. What it cannot hold is in docs/seeds.md.
 */
import { describe, expect, test } from "vitest";
import { ERROR_STATUS, TASK_STATUSES } from "../../src/api/legacy/routing/words.ts";
import { eventually } from "../support/eventually.ts";
import { createRoutingBed, UUID } from "./003/bed.ts";

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const VERSION = expect.stringMatching(/^\d+\.\d+\.\d+/);
const TASK = {
  droplet_name: "registry",
  method: "GET",
  path: "/health",
  payload: null,
  meta: { requested_by: "test" },
};

describe("the end of the history", async () => {
  const bed = await createRoutingBed({ TASK_MAX_HISTORY: "3" });

  test("tasks beyond TASK_MAX_HISTORY are deleted, the oldest first, with their runs", async () => {
    const submitted: { readonly task_id: string }[] = [];
    for (const path of ["/echo/1", "/echo/2", "/echo/3", "/echo/4", "/echo/5"])
      submitted.push((await bed.submit({ droplet_name: "worker", path })).body);
    await eventually(
      async () => {
        const { tasks, total } = (await bed.curl("/orchestrator/tasks")).body;
        expect(tasks.map(({ path }: { path: string }) => path)).toEqual(["/echo/5", "/echo/4", "/echo/3"]);
        expect(total).toBe(3);
      },
      { timeoutMs: 20_000 },
    );
    for (const [index, { task_id: id }] of submitted.entries()) {
      const gone = { status: 404, body: { error: { code: "TASK_NOT_FOUND" } } };
      expect(await bed.curl(`/orchestrator/tasks/${id}`)).toMatchObject(index < 2 ? gone : { status: 200 });
      expect((await bed.curl(`/v1/runs/${id}`)).status).toBe(index < 2 ? 410 : 200);
    }
  });
});

describe("seed 003", async () => {
  const bed = await createRoutingBed({ TASK_TIMEOUT: "1" });

  describe("the commands of the document", () => {
    test("health, which probes may ask as they like", async () => {
      const expected = { status: 200, body: { status: "ok", service: "orchestrator", version: VERSION } };
      expect(await bed.curl("/orchestrator/health")).toMatchObject(expected);
      expect((await bed.curl("/orchestrator/health?now=1")).body).toEqual(expected.body);
    });

    test("info", async () => {
      expect((await bed.curl("/orchestrator/info")).body).toMatchObject({
        ...{ service: "orchestrator", version: VERSION, registry_url: bed.registry.url, cache_status: "active" },
        ...{ droplets_known: 3, task_timeout_seconds: 1, task_max_retries: 3, task_max_history: 10_000 },
      });
    });

    test("droplets", async () => {
      expect((await bed.curl("/orchestrator/droplets")).body).toEqual({
        droplets: [
          {
            name: "gone",
            endpoint: expect.any(String),
            source: "registry",
            reachable: false,
            last_call: expect.any(Number),
          },
          {
            name: "registry",
            endpoint: bed.registry.url,
            source: "registry",
            reachable: true,
            last_call: expect.any(Number),
          },
          {
            name: "worker",
            endpoint: bed.worker.url,
            source: "registry",
            reachable: true,
            last_call: expect.any(Number),
          },
        ],
        cache_status: "active",
        served_from: "registry",
      });
    });

    test("a task: its answer, its record, and its place in the list", async () => {
      const { status, headers, body } = await bed.submit(TASK);
      expect([status, headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
      expect(body).toEqual({
        task_id: expect.stringMatching(UUID),
        status: "success",
        target_url: `${bed.registry.url}/health`,
        response_status: 200,
        response_body: { status: "ok", service: "registry" },
        retry_count: 0,
        duration_ms: expect.any(Number),
      });
      const { response_body, ...outcome } = body;
      const line = {
        ...outcome,
        droplet_name: "registry",
        method: "GET",
        path: "/health",
        created_at: TIME,
        completed_at: TIME,
      };
      expect((await bed.curl(`/orchestrator/tasks/${body.task_id}`)).body).toEqual({
        ...{ ...line, response_body, error: null, meta: { requested_by: "test" } },
      });
      const { tasks, limit } = (await bed.curl("/orchestrator/tasks")).body;
      expect([tasks[0], limit]).toEqual([line, 100]);
    });
  });

  describe("what a droplet answers", () => {
    test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])("%s is called as it is asked for", async (method) => {
      const payload = ["GET", "HEAD"].includes(method) ? null : { name: "ünï", list: [1, null] };
      const { body } = await bed.submit({ droplet_name: "worker", method, path: "/echo/a?b=c%20d", payload });
      const echo = { method, path: "/echo/a?b=c%20d", payload, key: expect.any(String), hops: "1" };
      expect(body).toMatchObject({ status: "success", target_url: `${bed.worker.url}/echo/a?b=c%20d` });
      expect(body.response_body).toEqual(method === "HEAD" ? null : echo);
    });

    test("without a method, a payload makes the difference; methods may be in small letters", async () => {
      const called = async (task: object): Promise<string> =>
        (await bed.submit({ droplet_name: "worker", path: "/echo", ...task })).body.response_body.method;
      expect(await called({})).toBe("GET");
      expect(await called({ payload: { a: 1 } })).toBe("POST");
      expect(await called({ method: "delete" })).toBe("DELETE");
    });

    test("text is text, and nothing is nothing", async () => {
      expect((await bed.submit({ droplet_name: "worker", path: "/text" })).body.response_body).toBe("plain words");
    });

    test.each([400, 401, 404, 408, 409, 422, 425, 429])("%i is an answer, and is not retried", async (code) => {
      const { status, body } = await bed.submit({ droplet_name: "worker", path: `/status/${code}` });
      expect([status, body]).toMatchObject([
        200,
        { status: "error", response_status: code, response_body: { detail: String(code) }, retry_count: 0 },
      ]);
      expect(await bed.worker.calls(`/status/${code}`)).toBe(1);
      const { status: kept, error } = (await bed.curl(`/orchestrator/tasks/${body.task_id}`)).body;
      expect([kept, error]).toEqual(["error", null]);
    });

    test("a large answer is whole, up to `http.max_response_bytes`", async () => {
      const { body } = await bed.submit({ droplet_name: "worker", path: "/large/1900000" });
      expect(body.response_body.text).toHaveLength(1_900_000);
      expect((await bed.submit({ droplet_name: "worker", path: "/large/3000000" })).body.error).toMatchObject({
        code: "DROPLET_UNREACHABLE",
        details: { last_error: expect.stringContaining("RESPONSE_TOO_LARGE"), retry_count: 0 },
      });
    });

    test("a redirect within a droplet is followed, and one that leads away is not", async () => {
      const path = `/away/${bed.registry.port}`;
      expect((await bed.submit({ droplet_name: "worker", path: "/moved" })).body).toMatchObject({
        status: "success",
        target_url: `${bed.worker.url}/echo/moved`,
      });
      expect(await bed.submit({ droplet_name: "worker", path })).toMatchObject({
        status: 502,
        body: { error: { code: "DROPLET_UNREACHABLE", details: { retry_count: 0 } } },
      });
      expect(await bed.registry.calls("/echo")).toBe(0);
    });
  });

  describe("retries", () => {
    test("a 5xx is retried after 1, 2, and 4 seconds, and is DROPLET_UNREACHABLE in the end", async () => {
      const { status, body } = await bed.submit({ droplet_name: "worker", path: "/status/503" });
      expect([status, body]).toEqual([
        502,
        {
          status: "error",
          error: {
            code: "DROPLET_UNREACHABLE",
            message: expect.stringContaining("503"),
            details: {
              task_id: expect.stringMatching(UUID),
              droplet_name: "worker",
              target_url: `${bed.worker.url}/status/503`,
              retry_count: 3,
              last_error: expect.stringContaining("SERVICE_UNAVAILABLE"),
              response_status: 503,
            },
          },
        },
      ]);
      const times = await bed.worker.times("/status/503");
      const pauses = times.slice(1).map((at, place) => at - (times[place] ?? 0));
      expect(pauses.map(Math.floor)).toEqual([1, 2, 4]);
      const record = (await bed.curl(`/orchestrator/tasks/${body.error.details.task_id}`)).body;
      expect(record).toMatchObject({ status: "error", retry_count: 3, response_status: 503, error: body.error });
    });

    test.each([
      ["a 5xx", "/flaky/once/1", 200],
      ["another 5xx, twice", "/flaky/twice/2", 200],
    ])("%s that passes is a success", async (_what, path, code) => {
      const { body } = await bed.submit({ droplet_name: "worker", path });
      expect(body).toMatchObject({ status: "success", response_status: code, retry_count: Number(path.at(-1)) });
      expect(body.duration_ms).toBeGreaterThanOrEqual(1_000);
    });

    test.each([
      ["a droplet that nobody is at", "gone", "/x", "DROPLET_UNREACHABLE", 502, /CONNECTION_REFUSED/],
      ["a connection that ends without an answer", "worker", "/hangup", "DROPLET_UNREACHABLE", 502, /./],
      ["a droplet that is too slow", "worker", "/slow/20", "TIMEOUT", 504, /TIMEOUT/],
    ])("%s", async (_what, droplet_name, path, code, expected, last) => {
      const { status, body } = await bed.submit({ droplet_name, path });
      expect([status, body.error]).toMatchObject([
        expected,
        { code, details: { droplet_name, retry_count: 3, last_error: expect.stringMatching(last) } },
      ]);
      if (droplet_name === "worker") expect(await bed.worker.calls(path)).toBe(4);
      const word = code === "TIMEOUT" ? "timeout" : "error";
      const { tasks } = (await bed.curl(`/orchestrator/tasks?status=${word}&droplet_name=${droplet_name}`)).body;
      expect(tasks.map(({ task_id }: { task_id: string }) => task_id)).toContain(body.error.details.task_id);
    });

    test("a task whose process is killed during its backoff goes on, and its key returns it", async () => {
      const task = { droplet_name: "worker", method: "POST", path: "/flaky/kill/2", payload: { a: 1 } };
      const key = ["-H", "Idempotency-Key: kill-1"];
      const first = bed.submit(task, ...key).catch(() => "the connection ended");
      await eventually(async () => expect(await bed.worker.calls("/flaky/kill/2")).toBe(2), { timeoutMs: 20_000 });
      await bed.restart();
      expect(await first).toBe("the connection ended");
      const { status, body } = await bed.submit(task, ...key);
      expect([status, body]).toMatchObject([200, { status: "success", response_status: 200, retry_count: 2 }]);
      expect(await bed.worker.calls("/flaky/kill/2")).toBe(3);
      expect((await bed.submit(task, ...key)).body.task_id).toBe(body.task_id);
      expect(await bed.submit({ ...task, payload: { a: 2 } }, ...key)).toMatchObject({
        status: 409,
        body: { error: { code: "CONFLICT", details: { reason: "REQUEST_ID_REUSED" } } },
      });
      expect(await bed.worker.calls("/flaky/kill/2")).toBe(3);
    });
  });

  describe("the history", () => {
    test("has filters and limits", async () => {
      for (const path of ["/echo/1", "/echo/2", "/status/404"]) await bed.submit({ droplet_name: "registry", path });
      const { tasks, total, limit } = (
        await bed.curl("/orchestrator/tasks?status=success&droplet_name=registry&limit=2")
      ).body;
      expect(tasks.map(({ path }: { path: string }) => path)).toEqual(["/echo/2", "/echo/1"]);
      expect([total >= 3, limit]).toEqual([true, 2]);
      const errors = (await bed.curl("/orchestrator/tasks?status=error&droplet_name=registry&limit=50")).body;
      expect(errors).toMatchObject({ tasks: [{ path: "/status/404" }], total: 1, limit: 50 });
      expect((await bed.curl("/orchestrator/tasks?droplet_name=nobody")).body).toEqual({
        tasks: [],
        total: 0,
        limit: 100,
      });
    });

    test("shows a task that goes on as pending, and one that is not there not at all", async () => {
      const submitted = bed.submit({ droplet_name: "worker", path: "/flaky/pending/1" });
      await eventually(async () => {
        const { tasks } = (await bed.curl("/orchestrator/tasks?status=pending")).body;
        expect(tasks).toMatchObject([{ path: "/flaky/pending/1", response_status: null, completed_at: null }]);
      });
      await submitted;
      const id = "550e8400-e29b-41d4-a716-446655440000";
      for (const task of [id, "no-id", "a%2Fb"])
        expect(await bed.curl(`/orchestrator/tasks/${task}`)).toMatchObject({
          status: 404,
          body: { status: "error", error: { code: "TASK_NOT_FOUND" } },
        });
    });
  });

  test("metrics have all keys of the sample, and count", async () => {
    const before = (await bed.curl("/orchestrator/metrics")).body;
    await bed.submit(TASK);
    await bed.submit({ droplet_name: "worker", path: "/status/418" });
    await bed.submit({ droplet_name: "worker", path: "/flaky/counted/1" });
    const { tasks, retry, registry, ...rest } = (await bed.curl("/orchestrator/metrics")).body;
    expect(rest).toEqual({
      ...{ service: "orchestrator", version: VERSION, uptime_seconds: expect.any(Number) },
      ...{ droplets_known: 3, droplets_reachable: 2 },
    });
    expect(Object.keys(tasks).sort()).toEqual(
      [
        ...["total", "success", "error", "timeout", "success_rate_percent"],
        ...["avg_response_time_ms", "p95_response_time_ms", "p99_response_time_ms"],
      ].sort(),
    );
    expect(tasks).toMatchObject({ total: before.tasks.total + 3, success: before.tasks.success + 2 });
    expect([tasks.error, tasks.timeout]).toEqual([before.tasks.error + 1, before.tasks.timeout]);
    expect(tasks.success_rate_percent).toBeCloseTo((100 * tasks.success) / tasks.total, 0);
    expect(tasks.p99_response_time_ms).toBeGreaterThanOrEqual(tasks.p95_response_time_ms);
    expect(retry).toEqual({
      total_retries: before.retry.total_retries + 1,
      retry_success_count: before.retry.retry_success_count + 1,
      retry_final_fail_count: before.retry.retry_final_fail_count,
    });
    expect(registry).toEqual({
      ...{ syncs_total: expect.any(Number), syncs_success: registry.syncs_total, syncs_error: 0 },
      ...{ last_sync: expect.any(Number), last_sync_duration_ms: expect.any(Number) },
      ...{ cache_age_seconds: expect.any(Number), cache_status: "active" },
    });
    expect(Math.abs(Date.now() / 1_000 - registry.last_sync)).toBeLessThan(120);
  });

  describe("what is refused", () => {
    test("an unknown droplet, with those that are known", async () => {
      expect(await bed.submit({ ...TASK, droplet_name: "unknown" })).toMatchObject({
        status: 404,
        body: {
          status: "error",
          error: {
            code: "DROPLET_NOT_FOUND",
            message: "Droplet 'unknown' not found in registry",
            details: { requested_droplet: "unknown", available_droplets: ["gone", "registry", "worker"] },
          },
        },
      });
    });

    test.each<readonly [string, object | string, string | undefined, RegExp]>([
      ["no droplet", { path: "/x" }, "droplet_name", /is missing/],
      ["a droplet that is a number", { droplet_name: 3 }, "droplet_name", /expected text/],
      ["an unknown method", { ...TASK, method: "FETCH" }, "method", /GET, HEAD, POST/],
      ["a payload with GET", { ...TASK, payload: {} }, "payload", /GET carries no body/],
      ["a list of notes", { ...TASK, meta: [] }, "meta", /expected an object/],
      ["a field that nobody knows", { ...TASK, payloud: 1 }, "payloud", /no such field; known: droplet_name/],
      ["a list", "[]", undefined, /must be a JSON object/],
      ["no JSON", "{droplet_name", undefined, /./],
      ["nothing", "", undefined, /must be a JSON object/],
      ...["x", "//evil/x", "/../x", "/%2e%2e/x", "/a/..%5cx", "/\\evil", "/a b", "/..;/x", "/%2E.;a=b/x"].map(
        (path) => [`the path ${path}`, { ...TASK, path }, "path", /path of a call/] as const,
      ),
    ])("%s", async (_what, task, field, message) => {
      const { status, body } = await bed.submit(task);
      expect([status, body]).toMatchObject([
        400,
        { status: "error", error: { code: "INVALID_REQUEST", message: expect.stringMatching(message) } },
      ]);
      if (field !== undefined) expect(body.error.details.fields).toMatchObject([{ field }]);
    });

    test.each([
      ["an unknown status", [], "/orchestrator/tasks?status=done", 400, "INVALID_REQUEST"],
      ["no limit at all", [], "/orchestrator/tasks?limit=0", 400, "INVALID_REQUEST"],
      ["too many", [], "/orchestrator/tasks?limit=1001", 400, "INVALID_REQUEST"],
      ["a filter that nobody knows", [], "/orchestrator/tasks?droplet=x", 400, "INVALID_REQUEST"],
      ["a path that nobody knows", [], "/orchestrator/nothing", 404, "NOT_FOUND"],
      ["a task among goals", [], "/tasks/550e8400-e29b-41d4-a716-446655440000", 404, undefined],
      ["a method that nobody knows", ["-X", "PUT"], "/orchestrator/tasks", 405, "METHOD_NOT_ALLOWED"],
      ["a form", ["-d", "droplet_name=registry"], "/orchestrator/tasks", 400, "INVALID_REQUEST"],
    ])("%s", async (_what, args, path, status, code) => {
      const answered = await bed.curl(path, ...args);
      expect(answered.status).toBe(status);
      if (code !== undefined)
        expect(answered.body).toEqual({
          status: "error",
          error: { code, message: expect.any(String), details: expect.any(Object) },
        });
    });
  });

  test("the picture of the document posts to /tasks, and gets the same", async () => {
    const json = ["-X", "POST", "-H", "Content-Type: application/json", "-d", JSON.stringify(TASK)];
    expect((await bed.curl("/tasks", ...json)).body).toMatchObject({ status: "success", response_status: 200 });
  });

  test("words are those of the document", () => {
    expect(TASK_STATUSES).toEqual(["pending", "success", "error", "timeout"]);
    expect(Object.keys(ERROR_STATUS)).toEqual(
      expect.arrayContaining([
        "DROPLET_NOT_FOUND",
        "DROPLET_UNREACHABLE",
        "TIMEOUT",
        "REGISTRY_ERROR",
        "INTERNAL_ERROR",
      ]),
    );
  });
});
