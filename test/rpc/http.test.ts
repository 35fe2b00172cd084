import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { GrpcWebFetchTransport } from "@protobuf-ts/grpcweb-transport";
import type { RpcError } from "@protobuf-ts/runtime-rpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HealthServiceClient } from "../../gen/typescript/health.js";
import { RunServiceClient, StartRunRequest, WatchRunRequest } from "../../gen/typescript/v1.js";
import { HealthService } from "../../src/gen/orchestrator/health/v1/health_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { startApi, TEST_CONFIG, type TestApi } from "./support/start-api.ts";

let tested: TestApi;

beforeAll(async () => {
  tested = await startApi();
});

afterAll(() => tested.api.close(50));

describe("the client of browsers at its defaults: grpc-web-text", () => {
  test("a unary call, its errors and a stream", async () => {
    const transport = new GrpcWebFetchTransport({ baseUrl: tested.url });
    const { response } = await new HealthServiceClient(transport).check({ service: "orchestrator" });
    expect(response.status).toBe(1);
    const runs = new RunServiceClient(transport);
    const failure = await runs.getRun({ runId: "nope" }).then(undefined, (error: RpcError) => error);
    expect(failure).toMatchObject({ code: "NOT_FOUND" });
    // This client leaves the sentence as it travels.
    expect(decodeURIComponent((failure as RpcError).message)).toBe("run nope does not exist");
    const started = await runs.startRun(
      StartRunRequest.create({
        flowId: "f",
        inputValue: { oneofKind: "inputJson", inputJson: Buffer.from('{"a":"é"}') },
      }),
    );
    const call = runs.watchRun(WatchRunRequest.create({ runId: started.response.run?.runId ?? "" }));
    const kinds: unknown[] = [];
    for await (const message of call.responses) kinds.push(message.frame.oneofKind);
    expect(kinds).toEqual(["snapshot", "end"]);
    expect((await call.status).code).toBe("OK");
  });

  test("text that is cut anywhere, or made of several padded texts, is read", async () => {
    const { input, output } = HealthService.method.check;
    const message = Buffer.from(toBinary(input, create(input, { service: "orchestrator" })));
    const head = Buffer.from([0, 0, 0, 0, message.length]);
    const whole = Buffer.concat([head, message]).toString("base64");
    const parts = head.toString("base64") + message.toString("base64");
    for (const body of [whole, parts, `${whole.slice(0, 5)}\r\n${whole.slice(5)}`]) {
      const response = await fetch(`${tested.url}/orchestrator.health.v1.HealthService/Check`, {
        method: "POST",
        headers: { "content-type": "application/grpc-web-text" },
        body,
      });
      expect(response.headers.get("content-type")).toBe("application/grpc-web-text+proto");
      const text = await response.text();
      const bytes = Buffer.concat((text.match(/[^=]+={0,2}/g) ?? []).map((part) => Buffer.from(part, "base64")));
      expect(fromBinary(output, bytes.subarray(5, 5 + bytes.readUInt32BE(1)))).toMatchObject({ status: 1 });
      expect(bytes.toString("latin1")).toContain("grpc-status: 0");
    }
  });

  test.each(["AAA", "AAAA****", "===="])("%s is refused as malformed", async (body) => {
    const response = await fetch(`${tested.url}/orchestrator.health.v1.HealthService/Check`, {
      method: "POST",
      headers: { "content-type": "application/grpc-web-text" },
      body,
    });
    const bytes = Buffer.concat(
      ((await response.text()).match(/[^=]+={0,2}/g) ?? []).map((part) => Buffer.from(part, "base64")),
    );
    expect(bytes.toString("latin1")).toMatch(/grpc-status: 3\r\n/);
    expect(bytes.toString("latin1")).toContain("grpc-status-details-bin");
  });
});

test("Connect's browser transports work over HTTP/1.1", async () => {
  for (const transport of [
    createConnectTransport({ baseUrl: tested.url }),
    createConnectTransport({ baseUrl: tested.url, useHttpGet: true }),
    createGrpcWebTransport({ baseUrl: tested.url }),
  ]) {
    const client = createClient(RunService, transport);
    const { run } = await client.startRun({ flowId: "f" });
    expect((await client.getRun({ runId: run?.runId ?? "" })).run?.flowId).toBe("f");
    const kinds: unknown[] = [];
    for await (const { frame } of client.watchRun({ runId: run?.runId ?? "" })) kinds.push(frame.case);
    expect(kinds).toEqual(["snapshot", "end"]);
  }
});

describe("CORS", () => {
  const path = "/orchestrator.v1.RunService/GetRun";
  const preflight = (origin: string) =>
    fetch(tested.url + path, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "x-grpc-web" },
    });

  test("a preflight of a known origin is answered exactly", async () => {
    const response = await preflight("https://console.example.com");
    expect(response.status).toBe(204);
    expect(
      Object.fromEntries(
        [...response.headers].filter(([name]) => name.startsWith("access-control") || name === "vary"),
      ),
    ).toEqual({
      "access-control-allow-origin": "https://console.example.com",
      "access-control-allow-methods": "POST, GET, DELETE",
      "access-control-allow-headers":
        "Content-Type, Connect-Protocol-Version, Connect-Timeout-Ms, Connect-Content-Encoding, Connect-Accept-Encoding, Content-Encoding, Accept-Encoding, Grpc-Message-Type, X-Grpc-Web, X-User-Agent, Grpc-Timeout, Authorization, Idempotency-Key, Last-Event-ID, X-Request-Id, X-Orchestrator-Actor, Traceparent",
      "access-control-max-age": "7200",
      vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    });
  });

  test.each([
    "https://evil.example.com",
    "https://console.example.com.evil.org",
    "http://console.example.com",
    "null",
    "https://CONSOLE.example.com",
  ])("%s gets nothing", async (origin) => {
    for (const response of [await preflight(origin), await fetch(`${tested.url}/v1/runs`, { headers: { origin } })]) {
      expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(response.headers.get("vary")).toContain("Origin");
    }
  });

  test("answers, streams and errors of every kind carry the headers", async () => {
    const headers = { origin: "https://console.example.com", "content-type": "application/json" };
    const requests = [
      fetch(`${tested.url}/v1/runs`, { headers }),
      fetch(`${tested.url}/v1/nothing`, { headers }),
      fetch(`${tested.url}${path}`, { method: "POST", headers, body: '{"runId":"nope"}' }),
      fetch(`${tested.url}${path}`, { method: "POST", headers, body: "{" }),
    ];
    for (const response of await Promise.all(requests)) {
      expect(response.headers.get("access-control-allow-origin")).toBe("https://console.example.com");
      expect(response.headers.get("access-control-expose-headers")).toContain("Grpc-Status-Details-Bin");
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    }
  });
});

describe("writes of pages", () => {
  const write = (headers: Record<string, string>) =>
    fetch(`${tested.url}/v1/runs`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: '{"flowId":"f"}',
    });

  test("of a foreign origin are refused, also where browsers do not ask first", async () => {
    const before = tested.engine.states.size;
    for (const origin of ["https://evil.example.com", "null", "http://localhost:1"]) {
      const response = await write({ origin });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({
        details: expect.arrayContaining([expect.objectContaining({ reason: "ORIGIN_REFUSED" })]),
      });
      const connect = await fetch(`${tested.url}/orchestrator.v1.RunService/StartRun`, {
        method: "POST",
        headers: { origin, "content-type": "application/json" },
        body: '{"flowId":"f"}',
      });
      expect(connect.status).toBe(403);
    }
    expect(tested.engine.states.size).toBe(before);
  });

  test("of a known origin, of this host, and of programs are taken", async () => {
    expect((await write({})).status).toBe(200);
    expect((await write({ origin: tested.url })).status).toBe(200);
    expect((await write({ origin: "https://console.example.com" })).status).toBe(200);
  });

  test("must say that they are JSON", async () => {
    const body = new Blob(['{"flowId":"f"}']);
    expect((await fetch(`${tested.url}/v1/runs`, { method: "POST", body })).status).toBe(415);
  });
});

describe("HTTP by hand", () => {
  const post = (path: string, type: string, body: string | Uint8Array<ArrayBuffer>) =>
    fetch(tested.url + path, { method: "POST", headers: { "content-type": type }, body });

  test("the root tells what this is and where things are", async () => {
    const response = await fetch(tested.url);
    expect(await response.json()).toMatchObject({
      service: "orchestrator",
      version: "1.2.3",
      status: "operational",
      links: { runs: "/v1/runs" },
    });
  });

  test.each([
    ["GET", "/nothing", 404, "ROUTE_NOT_FOUND"],
    ["GET", "/v1/nothing", 404, "ROUTE_NOT_FOUND"],
    ["DELETE", "/v1/runs", 405, "HTTP_METHOD_NOT_ALLOWED"],
    ["GET", "/v1/runs?nothing=1", 400, "INVALID_REQUEST"],
    ["GET", "/v1/runs/%zz", 400, "REQUEST_MALFORMED"],
    ["GET", "/v1/runs/a%00b", 400, "INVALID_REQUEST"],
  ])("%s %s is %i %s, as google.rpc.Status", async (method, path, status, reason) => {
    const response = await fetch(tested.url + path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await response.json()).toMatchObject({
      code: expect.any(Number),
      message: expect.any(String),
      details: expect.arrayContaining([expect.objectContaining({ reason })]),
    });
    if (status === 405) expect(response.headers.get("allow")).toBe("POST, GET, HEAD");
  });

  test("errors that pass by themselves tell when to come back", async () => {
    const { toError } = await import("../../src/base/errors.ts");
    tested.engine.failWith(toError("OVERLOADED", { what: "x" }, { retryAfterMs: 2_500 }));
    const response = await fetch(`${tested.url}/v1/runs/x`);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("3");
  });

  test("a body over the limit is 413, a wrong type 415, broken JSON 400", async () => {
    expect((await post("/v1/runs", "application/json", "x".repeat(TEST_CONFIG.maxMessageBytes + 1))).status).toBe(413);
    expect((await post("/v1/runs", "text/plain", "{}")).status).toBe(415);
    expect((await post("/v1/runs", "application/json", "{")).status).toBe(400);
    const connect = "/orchestrator.v1.RunService/StartRun";
    expect((await post(connect, "text/plain", "{}")).status).toBe(415);
    expect((await post(connect, "application/json", "{")).status).toBe(400);
    const large = await post(
      connect,
      "application/json",
      JSON.stringify({ flowId: "x".repeat(TEST_CONFIG.maxMessageBytes) }),
    );
    expect(await large.json()).toMatchObject({
      code: "invalid_argument",
      details: expect.arrayContaining([expect.objectContaining({ type: "google.rpc.ErrorInfo" })]),
    });
  });

  test("a compressed body that blows up is refused, and the service lives", async () => {
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
    const response = await fetch(`${tested.url}/orchestrator.v1.RunService/StartRun`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: new Uint8Array(bomb),
    });
    expect(await response.json()).toMatchObject({ code: "invalid_argument" });
    expect((await fetch(`${tested.url}/healthz`)).status).toBe(200);
  });

  test("HEAD is answered without a body", async () => {
    const response = await fetch(`${tested.url}/v1/health`, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  test("proto JSON names are camel case, and both forms are read", async () => {
    for (const body of ['{"flowId":"f","userId":"u"}', '{"flow_id":"f","user_id":"u"}']) {
      expect(await (await post("/v1/runs", "application/json", body)).json()).toMatchObject({
        run: { userId: "u" },
        started: true,
      });
    }
  });
});
