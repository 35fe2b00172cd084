/** What the interface of seed 001 refuses, and in which words: every error of its paths has one shape. */
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { createSeedBed } from "./001/bed.ts";

describe("seed 001", async () => {
  const bed = await createSeedBed();

  test.each([
    ["an unknown verb", ["-X", "FOO"], "/health", 405, "HTTP_METHOD_NOT_ALLOWED"],
    ["an unknown verb without a path", ["-X", "FOO"], "/api/v1/nothing", 501, "HTTP_METHOD_UNKNOWN"],
    ["a slash too many", [], "//api/v1/workflows", 404, "ROUTE_NOT_FOUND"],
    ["slashes at the end", [], "/health/", 404, "ROUTE_NOT_FOUND"],
    ["half a path", [], "/api", 404, "ROUTE_NOT_FOUND"],
    ["broken encoding", [], "/api/v1/workflows/%zz", 400, "REQUEST_MALFORMED"],
    ["a broken header", ["-H", "a b: c"], "/status", 400, "REQUEST_MALFORMED"],
    ["headers that are too large", ["-H", `x: ${"x".repeat(20_000)}`], "/health", 431, "HEADERS_TOO_LARGE"],
    [
      "an unknown coding",
      ["-X", "POST", "-H", "Transfer-Encoding: gzip"],
      "/api/v1/workflows",
      400,
      "REQUEST_MALFORMED",
    ],
    ["no host", ["-H", "Host:"], "/health", 400, "REQUEST_MALFORMED"],
  ])("%s has the shape of these errors", (_what, args, path, status, code) => {
    const answered = bed.curl(path, "--path-as-is", ...args);
    expect([answered.status, answered.body]).toEqual([status, { error: { code, message: expect.any(String) } }]);
  });

  test("broken bytes behind a request of another interface are not answered in this shape", async () => {
    const socket = connect(Number(new URL(bed.url).port), "localhost");
    let text = "";
    socket.on("data", (chunk) => {
      text += String(chunk);
    });
    socket.write("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\nGET /v1/info HTTP/1.1\r\nbro ken\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(text).toContain('{"status":"healthy"}');
    expect(text).toMatch(/REQUEST_MALFORMED/);
    expect(text).not.toContain('{"error":');
  });

  test.each(["0", "501", "999999", "-1", "1.5", "x", "1e2"])("a limit of %s is refused", (limit) => {
    expect(bed.curl(`/api/v1/workflows?limit=${limit}`)).toMatchObject({
      status: 400,
      body: {
        error: { code: "INVALID_REQUEST", message: expect.stringMatching(/limit: expected a number from 1 to 500/) },
      },
    });
  });

  test.each(["1", "500", ""])("a limit of '%s' is accepted", (limit) => {
    expect(bed.curl(`/api/v1/workflows?limit=${limit}`).status).toBe(200);
  });

  test.each([
    ["GET", "/api/v1/workflows?state=failed", /state: .*known: status, workflow_template/],
    ["GET", "/api/v1/templates?categroy=x", /categroy: .*known: category/],
    ["DELETE", "/api/v1/workflows/x?dry_run=true", /dry_run: .*takes none/],
    ["GET", "/api/v1/workflows/x/status?a", /a: .*takes none/],
  ])("%s %s names what it does not know", (verb, path, message) => {
    expect(bed.curl(path, "-X", verb)).toMatchObject({
      status: 400,
      body: { error: { code: "INVALID_REQUEST", message: expect.stringMatching(message) } },
    });
  });

  // Cause: the key was judged by the start itself, after the template had been looked for.
  test.each(["a b", "x".repeat(129)])("the idempotency key %j is refused before anything is looked for", (key) => {
    const args = ["-X", "POST", "-H", `Idempotency-Key: ${key}`, "-H", "Content-Type: application/json"];
    expect(bed.curl("/api/v1/workflows", ...args, "-d", '{"workflow_template": "none"}')).toMatchObject({
      status: 400,
      body: { error: { code: "INVALID_REQUEST", message: expect.stringMatching(/^.*Idempotency-Key: /) } },
    });
  });

  test("probes may add to their query", () => {
    expect([bed.curl("/health?t=1").status, bed.curl("/status?t=1").status]).toEqual([200, 200]);
  });

  const tasks = [{ id: "t", type: "noop" }];
  test.each([
    ["a workflow that is a number", { id: "w1", workflow: 5 }, /^workflow\.workflow: expected an object$/],
    ["a workflow that is nothing", { id: "w1", workflow: null }, /^workflow\.workflow: expected an object$/],
    ["no id", { tasks }, /^workflow\.id: is missing$/],
    ["no id in a template", { workflow: { tasks } }, /^workflow\.id: is missing$/],
    ["variables that are text", { id: "w1", tasks, variables: "abc" }, /^workflow\.variables: expected an object$/],
    ["variables that are a list", { id: "w1", tasks, variables: [1] }, /^workflow\.variables: expected an object$/],
    [
      "variables of a template that are text",
      { id: "w1", workflow: { tasks, variables: "abc" } },
      /^workflow\.workflow\.variables: expected an object$/,
    ],
    [
      "a variable with a bad name",
      { id: "w1", tasks, variables: { "0": 1 } },
      /variables\["0"\]: expected a name: a letter/,
    ],
  ])("%s is named", (_what, workflow, message) => {
    const { status, body } = bed.start({ workflow });
    expect([status, body.error.message]).toEqual([400, expect.stringMatching(message)]);
  });

  test("a template that comes with its request has its id outside", () => {
    expect(bed.start({ workflow: { id: "w1", workflow: { tasks } } }).status).toBe(202);
  });

  test("keys that the service does not know have a limit", () => {
    const start = (notes: string) => bed.start({ workflow: { id: "w2", tasks }, notes });
    expect(start("x".repeat(65_536 - '{"notes":""}'.length)).status).toBe(202);
    expect(start("x".repeat(65_536)).body.error.message).toMatch(/\(notes\) have 65548 bytes .*the limit is 65536/);
  });
});
