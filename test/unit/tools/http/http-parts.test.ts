import { describe, expect, test } from "vitest";
import { OrchestratorError } from "../../../../src/base/errors.ts";
import { statusType } from "../../../../src/base/net/http-status.ts";
import type { ToolCall } from "../../../../src/engine/ports/tools.ts";
import { createAddressPolicy } from "../../../../src/tools/http/address-policy.ts";
import { statusOutcome } from "../../../../src/tools/http/http-failure.ts";
import { buildRequest, parseUrl, RequestRefused } from "../../../../src/tools/http/http-request.ts";
import { parseHttpDate } from "../../../../src/tools/http-date.ts";
import { parseRetryAfterMs } from "../../../../src/tools/retry-after.ts";
import { aCall } from "../a-call.ts";

const SECURE = { host: "api.example", port: 443, secure: true };

describe("address policy", () => {
  const strict = createAddressPolicy({ allowPrivate: false, allow: [] });

  test.each(["8.8.8.8", "1.1.1.1", "223.255.255.254", "2606:4700::1111", "2a00:1450:4001::1"])(
    "lets public %s through by https only",
    (address) => {
      expect(strict.judge(address, SECURE)).toBeNull();
      expect(strict.judge(address, { ...SECURE, secure: false })).toContain("plain http");
    },
  );

  test.each(["", "nonsense", "999.1.1.1", "::ffff:8.8.8.8", "100.127.255.255", "172.31.0.1", "fdff::1", "febf::1"])(
    "refuses %j",
    (address) => {
      expect(strict.judge(address, SECURE)).not.toBeNull();
    },
  );

  test("edges of networks are where they belong", () => {
    const verdicts = [
      "9.255.255.255",
      "10.0.0.0",
      "11.0.0.0",
      "172.15.255.255",
      "172.32.0.0",
      "100.63.255.255",
      "100.128.0.0",
    ].map((address) => (strict.judge(address, SECURE) === null ? "open" : "shut"));
    expect(verdicts).toEqual(["open", "shut", "open", "open", "open", "open", "open"]);
  });

  test.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/x",
    "host:port",
    "host:",
    "-host",
    "http://host:80",
    "a b:80",
    "1.2.3.4/8/8",
  ])("an entry that cannot be read is refused with the entry: %j", (entry) => {
    expect(() => createAddressPolicy({ allowPrivate: false, allow: [entry] })).toThrow(OrchestratorError);
  });

  test("entries may be networks, addresses, hosts, hosts with port, in either family", () => {
    const policy = createAddressPolicy({
      allowPrivate: false,
      allow: ["10.0.0.0/8", "192.168.1.1", "::1", "Api.Internal:8080", "any.internal", "[fd00::1]:90"],
    });
    const judge = (address: string, host: string, port: number) => policy.judge(address, { host, port, secure: false });
    expect(judge("10.9.9.9", "x", 80)).toBeNull();
    expect(judge("192.168.1.1", "x", 80)).toBeNull();
    expect(judge("::1", "x", 80)).toBeNull();
    expect(judge("172.16.0.1", "api.internal", 8080)).toBeNull();
    expect(judge("fd00::1", "fd00::1", 90)).toBeNull();
    expect(judge("172.16.0.1", "any.internal", 1)).toBeNull();
    expect(judge("172.16.0.1", "sub.any.internal", 1)).not.toBeNull();
    expect(judge("172.16.0.1", "api.internal", 8081)).not.toBeNull();
    expect(judge("192.168.1.2", "x", 80)).not.toBeNull();
  });
});

/** The request of a call that has a URL. */
function build(call: ToolCall) {
  return buildRequest(call, parseUrl((call.input as { readonly url: string }).url));
}

describe("requests", () => {
  test.each([
    ["Host", "x", "set by the service"],
    ["transfer-encoding", "chunked", "set by the service"],
    ["Content-Length", "1", "set by the service"],
    ["X-A", "a\r\nHost: evil", "cannot carry"],
    ["X-A", "a\u0000b", "cannot carry"],
    ["X-A", "日本", "cannot carry"],
    ["X A", "1", "no name"],
    ["X-A\r\nEvil", "1", "no name"],
    ["", "1", "no name"],
  ])("refuse the header %j: %j", (name, value, why) => {
    const call = aCall("http", { url: "https://api.example/", headers: { [name]: value } });
    expect(() => build(call)).toThrow(RequestRefused);
    expect(() => build(call)).toThrow(why);
  });

  test("the flow may choose its own idempotency key but not speak for another attempt", () => {
    const headers = {
      "Idempotency-Key": "mine",
      "X-Orchestrator-Fencing-Token": "999",
      "x-orchestrator-run-id": "other",
      "X-Orchestrator-Hops": "0",
    };
    const request = build(aCall("http", { url: "https://api.example/", headers }, { hops: 3 }));
    expect(request.headers).toMatchObject({
      "x-orchestrator-hops": "4",
      "idempotency-key": "mine",
      "x-orchestrator-fencing-token": "7",
      "x-orchestrator-run-id": "run-1",
    });
  });

  test("ids that headers cannot carry are encoded", () => {
    const request = build(
      aCall("http", { url: "https://api.example/" }, { runId: "läufer-日", correlationId: "a\r\nb" }),
    );
    expect(request.headers["x-orchestrator-run-id"]).toBe("l%C3%A4ufer-%E6%97%A5");
    expect(request.headers["x-correlation-id"]).toBe("a%0D%0Ab");
  });

  test("GET carries no body; a body makes POST", () => {
    expect(() => build(aCall("http", { url: "https://api.example/", method: "GET", body: 1 }))).toThrow(RequestRefused);
    expect(build(aCall("http", { url: "https://api.example/", text: "x" }))).toMatchObject({
      method: "POST",
      body: "x",
    });
    expect(build(aCall("http", { url: "https://api.example/", body: null }))).toMatchObject({
      method: "POST",
      body: "null",
    });
  });
});

test("error types of statuses are their standard phrases", () => {
  const types = [404, 418, 429, 500, 502, 503, 504, 508, 520].map(statusType);
  expect(types).toEqual([
    "NOT_FOUND",
    "I_M_A_TEAPOT",
    "TOO_MANY_REQUESTS",
    "INTERNAL_SERVER_ERROR",
    "BAD_GATEWAY",
    "SERVICE_UNAVAILABLE",
    "GATEWAY_TIMEOUT",
    "LOOP_DETECTED",
    "HTTP_520",
  ]);
});

test("a loop is no failure that passes", () => {
  const outcome = (status: number) => statusOutcome({ status, retryAfter: "", now: 0, message: "", details: null });
  expect([507, 508, 509].map((status) => outcome(status).error.retryable)).toEqual([true, false, true]);
});

describe("Retry-After", () => {
  const now = Date.parse("2030-01-01T00:00:00Z");

  test.each([
    ["120", 120_000],
    ["0", 0],
    ["Tue, 01 Jan 2030 00:00:30 GMT", 30_000],
    ["Tuesday, 01-Jan-30 00:00:30 GMT", 30_000],
    ["Tue Jan  1 00:00:30 2030", 30_000],
    ["Mon, 31 Dec 2029 00:00:00 GMT", 0],
  ])("%j is %d milliseconds", (text, delayMs) => {
    expect(parseRetryAfterMs(text, now)).toBe(delayMs);
  });

  // Cause: what is not a number went to Date.parse, which takes "-3" for March and "2030" for a year: the policy's
  // delay was lost, or became 34 minutes.
  test.each([
    "",
    "soon",
    "-3",
    "+3",
    "1.5",
    "1, 1",
    " 5 s",
    "1e3",
    "0x10",
    "2030-01-01T00:00:30Z",
    "01 Jan 2030 00:00:30 GMT",
    "Tue, 01 Jan 2030 00:00:30",
    "Tue, 01 Jan 2030 00:00:30 PST",
    "Sat, 30 Feb 2030 00:00:00 GMT",
    "Tue, 01 Jan 2030 25:00:00 GMT",
    "Tue, 01 Jan 2030 00:60:00 GMT",
  ])("%j is neither seconds nor a date: the policy counts", (text) => {
    expect(parseRetryAfterMs(text, now)).toBeUndefined();
  });

  test("a year alone is a number of seconds", () => {
    expect(parseRetryAfterMs("2030", now)).toBe(2_030_000);
  });
});

test("years of two digits lie at most 50 years ahead", () => {
  const now = Date.parse("2030-01-01T00:00:00Z");
  expect(parseHttpDate("Tuesday, 01-Jan-80 00:00:00 GMT", now)).toBe(Date.UTC(2080, 0, 1));
  expect(parseHttpDate("Tuesday, 01-Jan-81 00:00:00 GMT", now)).toBe(Date.UTC(1981, 0, 1));
});
