import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Json } from "../../../src/base/json/json.ts";
import { silentLog } from "../../../src/base/log.ts";
import { systemClock } from "../../../src/base/time/clock.ts";
import type { Outcome } from "../../../src/engine/machine/events.ts";
import type { ToolCall } from "../../../src/engine/ports/tools.ts";
import { createAdapters } from "../../../src/tools/index.ts";
import { createToolCaller, type ToolPath } from "../../../src/tools/path/caller.ts";
import { eventually } from "../../support/eventually.ts";
import { aCall } from "../../unit/tools/a-call.ts";
import { type FakeTool, startFakeTool } from "./fake-tool.ts";

let tool: FakeTool;
let other: FakeTool;
let tools: ToolPath;

beforeAll(async () => {
  tool = await startFakeTool();
  other = await startFakeTool();
});
afterAll(async () => {
  await tool.close();
  await other.close();
});
beforeEach(() => {
  const policy = { allowPrivate: false, allow: [`127.0.0.1:${tool.port}`, `127.0.0.1:${other.port}`, "127.0.0.1:1"] };
  const adapters = createAdapters({ http: { policy, clock: systemClock, maxResponseBytes: 100_000 } });
  tools = createToolCaller({ adapters, log: silentLog, clock: systemClock });
});
afterEach(() => tools.close());

function call(path: string, parameters: Record<string, Json> = {}, more: Partial<ToolCall> = {}): Promise<Outcome> {
  const input = { url: `${tool.origin}${path}`, ...parameters };
  return tools.call(aCall("http", input, more), new AbortController());
}

async function failureOf(outcome: Promise<Outcome>) {
  const result = await outcome;
  if (result.ok) throw new Error(`expected a failure, got ${JSON.stringify(result.output)}`);
  return { ...result.error, ...(result.deferMs !== undefined && { deferMs: result.deferMs }) };
}

describe("requests", () => {
  test("carry what identifies the attempt, and the body as JSON", async () => {
    const outcome = await call("/echo?a=1", {
      body: { amount: 3 },
      query: { b: ["x y", 2], none: null },
      headers: { "X-Own": "1" },
    });
    expect(outcome).toEqual({ ok: true, output: { ok: true } });
    const request = tool.requests.at(-1);
    expect(request).toMatchObject({ method: "POST", url: "/echo?a=1&b=x+y&b=2", body: '{"amount":3}' });
    expect(request?.headers).toMatchObject({
      "content-type": "application/json",
      "idempotency-key": "run-1/fetch/0",
      "x-orchestrator-run-id": "run-1",
      "x-orchestrator-task": "fetch",
      "x-orchestrator-attempt": "1",
      "x-orchestrator-fencing-token": "7",
      "x-own": "1",
    });
  });

  test("give status, headers and body when asked for", async () => {
    const outcome = await call("/echo", { full_response: true });
    expect(outcome).toMatchObject({
      ok: true,
      output: { status: 200, headers: { "content-type": "application/json" }, body: { ok: true } },
    });
  });

  test("say where the answer came from, after redirects", async () => {
    const outcome = await call(`/redirect?to=${encodeURIComponent("/echo?a=1")}`, { full_response: true });
    expect(outcome).toMatchObject({ ok: true, output: { url: expect.stringMatching(/^http:.*\/echo\?a=1$/) } });
  });

  test("take classes of statuses for success, and nothing else", async () => {
    for (const code of [200, 404, 408, 429])
      expect(await call(`/status?code=${code}`, { expect_status: ["2xx", "4xx"], full_response: true })).toMatchObject({
        ok: true,
        output: { status: code },
      });
    expect(await failureOf(call("/status?code=503", { expect_status: ["2xx", "4xx"] }))).toMatchObject({
      retryable: true,
    });
    expect(await failureOf(call("/status?code=404", { expect_status: "2xx" }))).toMatchObject({ type: "NOT_FOUND" });
  });

  test("take the statuses that the flow expects for success", async () => {
    expect(await call("/status?code=404", { expect_status: [200, 404], full_response: true })).toMatchObject({
      ok: true,
      output: { status: 404 },
    });
    expect(await failureOf(call("/echo", { expect_status: 204 }))).toMatchObject({ type: "OK", retryable: false });
  });
});

describe("statuses", () => {
  test.each([
    [400, "BAD_REQUEST", false],
    [401, "UNAUTHORIZED", false],
    [404, "NOT_FOUND", false],
    [408, "REQUEST_TIMEOUT", true],
    [409, "CONFLICT", false],
    [425, "TOO_EARLY", true],
    [499, "HTTP_499", false],
    [500, "INTERNAL_SERVER_ERROR", true],
    [503, "SERVICE_UNAVAILABLE", true],
    [599, "HTTP_599", true],
  ])("%i fails with %s, retryable: %s", async (code, type, retryable) => {
    const error = await failureOf(call(`/status?code=${code}&secret=token`));
    expect(error).toMatchObject({ type, retryable });
    expect(error.noEffect).toBeUndefined();
    expect(error.message).toContain(`GET ${tool.origin}/status answered ${code}`);
    expect(error.message).toContain("because");
    expect(error.message).not.toContain("token");
  });

  test("503 with Retry-After is retried then", async () => {
    expect(await failureOf(call("/status?code=503&after=7"))).toMatchObject({ nextRetryDelayMs: 7_000 });
  });

  test("a Retry-After that the task ignores leaves the delay to the retry policy", async () => {
    const error = await failureOf(call("/status?code=503&after=7", { retry_after: "ignore" }));
    expect([error.type, error.retryable, error.nextRetryDelayMs]).toEqual(["SERVICE_UNAVAILABLE", true, undefined]);
  });

  // Cause: the time was taken as it came, so that a slip in a header put the task off for 31 years, past any max_delay.
  test("a Retry-After beyond an hour is an hour", async () => {
    expect(await failureOf(call("/status?code=503&after=999999999"))).toMatchObject({ nextRetryDelayMs: 3_600_000 });
  });

  // Cause: an answer 429 without Retry-After was asked again forever as the first attempt, and paused every flow that
  // called the same host.
  test("429 is retried like other failures, and nobody else is held back", async () => {
    const asked = await failureOf(call("/status?code=429&after=2"));
    expect(asked).toMatchObject({ type: "TOO_MANY_REQUESTS", retryable: true, nextRetryDelayMs: 2_000 });
    const silent = await failureOf(call("/status?code=429"));
    expect(silent).toMatchObject({ type: "TOO_MANY_REQUESTS", retryable: true });
    expect([asked, silent]).not.toContainEqual(expect.objectContaining({ deferMs: expect.anything() }));
    expect(silent).not.toHaveProperty("nextRetryDelayMs");
    expect(await call("/echo")).toMatchObject({ ok: true });
    expect(tools.listBreakers()[0]).toMatchObject({ origin: tool.origin, state: "CLOSED", failuresInRow: 0 });
  });
});

describe("connections", () => {
  test("nobody listens: retryable, without effect", async () => {
    const error = await failureOf(call("", { url: "http://127.0.0.1:1/" }));
    expect(error).toMatchObject({ type: "CONNECTION_REFUSED", retryable: true, noEffect: true });
  });

  test.each(["/reset", "/cut"])("%s: retryable, effect unknown", async (path) => {
    const error = await failureOf(call(path, { body: {} }));
    expect(error).toMatchObject({ type: "CONNECTION_LOST", retryable: true });
    expect(error.noEffect).toBeUndefined();
  });

  // Cause: undici ends the connection on a 100 Continue that it did not ask for (RFC 9110 §15.2), and the POST was
  // repeated.
  test("interim responses are skipped, asked for or not", async () => {
    const before = tool.requests.length;
    expect(await call("/interim", { body: {} })).toEqual({ ok: true, output: { ok: true } });
    expect(tool.requests.length).toBe(before + 1);
  });

  test("a switch to another protocol that nobody asked for is not a usable response", async () => {
    expect(await failureOf(call("/upgrade"))).toMatchObject({ type: "RESPONSE_INVALID", retryable: true });
  });

  test("connections are used again, and one request never sees the rest of another response", async () => {
    for (let made = 0; made < 5; made += 1) {
      expect(await call("/echo")).toEqual({ ok: true, output: { ok: true } });
      expect(await failureOf(call("/status?code=404"))).toMatchObject({ type: "NOT_FOUND" });
    }
    expect(await tool.connections()).toBe(1);
  });

  // Cause: a server may close an idle connection at the moment in which the next request takes it from the pool.
  test("a GET that meets a connection which was just closed is sent on another one; a POST is not repeated", async () => {
    await call("/close-next");
    expect(await call("/echo")).toEqual({ ok: true, output: { ok: true } });
    await call("/close-next");
    expect(await failureOf(call("/echo", { body: {} }))).toMatchObject({ type: "CONNECTION_LOST", retryable: true });
  });

  test("a DELETE carries its body", async () => {
    await call("/echo", { method: "DELETE", body: { a: 1 } });
    expect(tool.requests.at(-1)).toMatchObject({ method: "DELETE", body: '{"a":1}' });
  });

  test("an answer that is no HTTP is retried", async () => {
    expect(await failureOf(call("/no-http"))).toMatchObject({ type: "RESPONSE_INVALID", retryable: true });
  });

  test("TLS to a server that speaks none: without effect", async () => {
    const error = await failureOf(call("", { url: tool.origin.replace("http:", "https:") }));
    expect(error).toMatchObject({ type: "TLS_FAILED", retryable: true, noEffect: true });
  });

  test.each(["/hang", "/drip"])("%s: ends with the deadline of the attempt and lets the socket go", async (path) => {
    const error = await failureOf(call(path, {}, { timeoutMs: 150 }));
    expect(error).toMatchObject({ type: "TIMEOUT", retryable: true });
    await eventually(async () => expect(await tool.connections()).toBe(0));
  });

  test("a tool may be silent for as long as the attempt may last", { timeout: 20_000 }, async () => {
    // Cause: requests took over the time after which the pool closes unused connections, 4 s, and every slower tool
    // timed out.
    const startedAt = performance.now();
    const error = await failureOf(call("/hang", {}, { timeoutMs: 5_500 }));
    expect(error).toMatchObject({ type: "TIMEOUT" });
    expect(performance.now() - startedAt).toBeGreaterThan(5_400);
  });

  test("an abort from outside ends the call as canceled", async () => {
    const controller = new AbortController();
    const outcome = tools.call(aCall("http", { url: `${tool.origin}/hang` }), controller);
    await eventually(async () => expect(await tool.connections()).toBe(1));
    controller.abort(new Error("canceled"));
    expect(await failureOf(outcome as Promise<Outcome>)).toMatchObject({ type: "CANCELED", retryable: false });
  });
});

describe("headers", () => {
  test("cookies are a list, other repeated headers one text, UTF-8 is read", async () => {
    const outcome = await call("/headers", { full_response: true });
    expect(outcome).toMatchObject({
      ok: true,
      output: {
        headers: { "set-cookie": ["a=1", "b=2; Path=/"], "x-many": "1, 2", "x-text": "größe 日本", "x-latin": "né" },
      },
    });
  });

  test("a Location in UTF-8 is followed", async () => {
    await call("/redirect-utf8");
    expect(tool.requests.at(-1)?.url).toBe("/echo?%E6%97%A5=%C3%A9");
  });

  test("headers of 60 KB are read; larger ones are refused by name", async () => {
    expect(await call("/large-headers?kb=60")).toMatchObject({ ok: true });
    const error = await failureOf(call("/large-headers?kb=70"));
    expect(error).toMatchObject({ type: "RESPONSE_TOO_LARGE", retryable: false });
    expect(error.message).toContain("the headers of the response are larger than 65536 bytes");
  });
});

describe("bodies", () => {
  // Cause: RFC 8259 lets a reader skip a byte order mark, and servers send a line break where they have nothing to say.
  test.each([
    ["a byte order mark", "efbbbf7b2261223a317d", { a: 1 }],
    ["blanks only", "0d0a2009", null],
    ["a byte order mark only", "efbbbf", null],
  ])("JSON with %s is read", async (_, hex, output) => {
    expect(await call(`/typed?type=application/json&hex=${hex}`)).toEqual({ ok: true, output });
  });

  test("JSON in another charset is read as it says", async () => {
    expect(await call("/typed?type=application/json;charset=latin1&hex=22e922")).toEqual({ ok: true, output: "é" });
  });

  test("wrong JSON is retried", async () => {
    expect(await failureOf(call("/wrong-json"))).toMatchObject({ type: "RESPONSE_INVALID", retryable: true });
  });

  test("integers that a double cannot hold come as decimal text, others as numbers", async () => {
    const text = '{"id":9007199254740993,"n":12,"d":0.1,"list":[-18446744073709551615]}';
    expect(await call(`/json?text=${encodeURIComponent(text)}`)).toEqual({
      ok: true,
      output: { id: "9007199254740993", n: 12, d: 0.1, list: ["-18446744073709551615"] },
    });
    const ask = (response: Json) => call(`/json?text=${encodeURIComponent(text)}`, { response });
    expect(await ask({ integers: "text" })).toMatchObject({ output: { id: "9007199254740993", n: 12 } });
    expect(await ask({ integers: "number", body: "json" })).toMatchObject({ output: { id: 9_007_199_254_740_992 } });
    expect(await ask({ integers: "error" })).toMatchObject({
      ok: false,
      error: { type: "RESPONSE_UNSUPPORTED", retryable: false, message: expect.stringContaining("9007199254740993") },
    });
    expect(await call("/json?text=12", { response: { integers: "error" } })).toMatchObject({ ok: true, output: 12 });
  });

  test.each([
    ["too deep", `${"[".repeat(70)}${"]".repeat(70)}`],
    ["NUL", '"\\u0000"'],
    ["half a surrogate pair", '"\\ud800"'],
  ])("JSON that cannot be stored is refused: %s", async (_, text) => {
    expect(await failureOf(call(`/json?text=${encodeURIComponent(text)}`))).toMatchObject({ type: "RESPONSE_INVALID" });
  });

  test("keys that name prototypes are ordinary keys", async () => {
    const outcome = await call(`/json?text=${encodeURIComponent('{"__proto__":{"polluted":1}}')}`);
    expect(JSON.stringify(outcome)).toBe('{"ok":true,"output":{"__proto__":{"polluted":1}}}');
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("text is read in its charset, nothing is null, binary is refused", async () => {
    expect(await call("/typed?type=text/plain&hex=68c3a9")).toEqual({ ok: true, output: "hé" });
    expect(await call("/typed?type=text/plain;charset=latin1&hex=68e9")).toEqual({ ok: true, output: "hé" });
    expect(await call("/typed?type=&hex=")).toEqual({ ok: true, output: null });
    for (const query of ["type=image/png&hex=89504e47", "type=&hex=ff00fe", "type=text/plain&hex=6100"]) {
      expect(await failureOf(call(`/typed?${query}`)), query).toMatchObject({
        type: "RESPONSE_UNSUPPORTED",
        retryable: false,
      });
    }
  });

  test("a body that the flow does not want is not read", async () => {
    expect(await call("/bomb", { response: "none" })).toEqual({ ok: true, output: null });
  });

  test("packed bodies are unpacked; unknown and broken packing is an error", async () => {
    expect(await call("/gzip")).toEqual({ ok: true, output: { packed: true } });
    expect(await failureOf(call("/gzip?coding=br"))).toMatchObject({ type: "RESPONSE_INVALID" });
    expect(await failureOf(call("/gzip?coding=zstd"))).toMatchObject({ type: "RESPONSE_UNSUPPORTED" });
  });

  test.each(["/endless", "/bomb"])("%s stops at the limit and lets the socket go", async (path) => {
    const before = process.memoryUsage().rss;
    expect(await failureOf(call(path))).toMatchObject({ type: "RESPONSE_TOO_LARGE", retryable: false });
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1_024 * 1_024);
    await eventually(async () => expect(await tool.connections()).toBeLessThanOrEqual(1));
  });
});

describe("redirects", () => {
  test("are followed three times and no more", async () => {
    const before = tool.requests.length;
    expect(await failureOf(call("/loop"))).toMatchObject({ type: "TOO_MANY_REDIRECTS", retryable: false });
    expect(tool.requests.length - before).toBe(4);
  });

  test("303 and 302 turn POST into GET without body; 307 keeps it", async () => {
    await call("/redirect?code=302&to=/echo", { body: { a: 1 } });
    expect(tool.requests.at(-1)).toMatchObject({ method: "GET", url: "/echo", body: "" });
    await call("/redirect?code=307&to=/echo", { body: { a: 1 } });
    expect(tool.requests.at(-1)).toMatchObject({ method: "POST", url: "/echo", body: '{"a":1}' });
  });

  test("take no secret to another origin", async () => {
    await call(`/redirect?to=${encodeURIComponent(`${other.origin}/echo`)}`, {
      headers: { Authorization: "Bearer s", Accept: "text/x" },
    });
    const headers = other.requests.at(-1)?.headers;
    expect(headers).toMatchObject({ accept: "text/x" });
    expect(headers).not.toHaveProperty("authorization");
    expect(headers).not.toHaveProperty("idempotency-key");
    expect(headers).not.toHaveProperty("x-orchestrator-run-id");
  });

  test("of a call that a person has approved stay at its origin: the body would go where nobody was asked about", async () => {
    const before = other.requests.length;
    const more = { approvedCall: "k" };
    const to = encodeURIComponent(`${other.origin}/echo`);
    const error = await failureOf(call(`/redirect?code=307&to=${to}`, { body: { a: 1 } }, more));
    expect(error).toMatchObject({ type: "REDIRECT_REFUSED", retryable: false });
    expect(error.message).toContain("a person has approved the call to its own origin only");
    expect(other.requests).toHaveLength(before);
    expect(await call("/redirect?code=307&to=/echo", { body: { a: 1 } }, more)).toMatchObject({ ok: true });
  });

  test.each(["https://127.0.0.1/", "file:///etc/passwd", "http://user:secret@127.0.0.1/", "gopher://127.0.0.1/"])(
    "to %s are refused",
    async (to) => {
      const error = await failureOf(call(`/redirect?to=${encodeURIComponent(to)}`));
      expect(error).toMatchObject({ type: "REDIRECT_REFUSED", retryable: false });
      expect(error.noEffect).toBeUndefined();
      expect(error.message).not.toContain("secret");
    },
  );

  test("are not followed when the flow expects their status", async () => {
    const outcome = await call("/redirect?to=/echo", { expect_status: 302, full_response: true });
    expect(outcome).toMatchObject({ ok: true, output: { status: 302, headers: { location: "/echo" } } });
  });
});
