/** Rules of HTTP that hold for every protocol of the port, seen over raw connections. */
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { deflateSync, gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHostRule, hostOf } from "../../src/base/host-rule.ts";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startApi, TEST_CONFIG, type TestApi } from "./support/start-api.ts";

let tested: TestApi;
let port: number;

beforeAll(async () => {
  tested = await startApi({ allowedHosts: ["console.example.com"] });
  port = Number(tested.address.split(":")[1]);
});

afterAll(() => tested.api.close(50));

const SERVICE = "/orchestrator.v1.RunService";

function frame(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function startRun(flowId: string): Uint8Array {
  const { input } = RunService.method.startRun;
  return toBinary(input, create(input, { flowId }));
}

function open(): { socket: Socket; text: () => string; ended: Promise<void> } {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.once("end", () => socket.end());
  return { socket, text: () => Buffer.concat(chunks).toString("latin1"), ended };
}

/** Sends a request, and by default the end of this half with it; answers all that came until the other half ended. */
async function send(head: string, body: Buffer | string = "", options: { close?: boolean } = {}): Promise<string> {
  const { socket, text, ended } = open();
  const bytes = Buffer.from(body);
  const length = bytes.length > 0 ? `content-length: ${bytes.length}\r\n` : "";
  socket.write(Buffer.concat([Buffer.from(`${head}\r\n${length}\r\n`), bytes]));
  if (options.close !== false) socket.end();
  await ended;
  return text();
}

const JSON_HEAD = "HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";

/** A StartRun by each protocol over HTTP/1.1. */
const STARTS: readonly (readonly [string, string, Buffer | string])[] = [
  ["rest", `POST /v1/runs ${JSON_HEAD}`, '{"flowId":"f"}'],
  ["connect json", `POST ${SERVICE}/StartRun ${JSON_HEAD}`, '{"flowId":"f"}'],
  [
    "connect proto",
    `POST ${SERVICE}/StartRun HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/proto`,
    Buffer.from(startRun("f")),
  ],
  [
    "grpc-web",
    `POST ${SERVICE}/StartRun HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web+proto`,
    frame(startRun("f")),
  ],
  [
    "grpc-web-text",
    `POST ${SERVICE}/StartRun HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web-text`,
    frame(startRun("f")).toString("base64"),
  ],
];

describe("a caller that closes its half of the connection", () => {
  // Node's HTTP server ends a connection with its caller's half; the effect had happened, the answer was lost.
  test.each(STARTS)("gets its answers by %s, every time", async (_, head, body) => {
    const before = tested.engine.states.size;
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(head, body)));
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]+\r\n\r\n[\s\S]+/);
    expect(tested.engine.states.size).toBe(before + 50);
  });

  test("gets the answer that it waits for, and the frames of a stream", async () => {
    const { run } = (await (
      await fetch(`${tested.url}/v1/runs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"flowId":"open"}',
      })
    ).json()) as { run: { runId: string } };
    // Longer than the time after which the service finds out whether anybody is there.
    const waited = await send(`GET /v1/runs/${run.runId}:wait?wait=2s HTTP/1.1\r\nhost: localhost`);
    expect(waited).toMatch(/^(HTTP\/1\.1 100 Continue\r\n\r\n)+HTTP\/1\.1 200 OK/);
    expect(waited).toContain(run.runId);
    const { socket, text } = open();
    socket.end(`GET /v1/runs/${run.runId}:watch HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await eventually(() => expect(text()).toMatch(/event: snapshot[\s\S]*: heartbeat[\s\S]*: heartbeat/));
    socket.destroy();
  });

  test("in the middle of its request is told so", async () => {
    const { socket, text, ended } = open();
    socket.end(`POST /v1/runs ${JSON_HEAD}\r\ncontent-length: 50\r\n\r\n{"flow`);
    await ended;
    expect(text()).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe("HTTP methods", () => {
  test.each([
    ["QUERY", "/v1/runs", 405, "POST, GET, HEAD"],
    ["QUERY", `${SERVICE}/StartRun`, 405, "POST"],
    ["QUERY", `${SERVICE}/GetRun`, 405, "GET, POST"],
    ["QUERY", "/healthz", 405, "GET, HEAD"],
    ["PROPFIND", "/v1/runs/x", 405, "GET, HEAD, DELETE"],
    ["TRACE", "/v1/runs", 405, "POST, GET, HEAD"],
    ["BREW", "/v1/runs?x=1", 405, "POST, GET, HEAD"],
    ["brew", "/", 405, "GET, HEAD"],
    ["HEAD", "/v1/runs:watch", 405, "GET"],
    ["OPTIONS", "/v1/runs", 204, "POST, GET, HEAD"],
    ["QUERY", "/v1/nothing", 501, null],
    ["QUERY", "/nothing", 501, null],
    ["BREW", "/nothing", 501, null],
    ["CONNECT", "example.com:443", 501, null],
    ["DELETE", "/v1/nothing", 404, null],
    ["HEAD", "/readyz", 200, null],
  ])("%s %s is %i", async (method, path, status, allow) => {
    const answer = await send(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(/^allow: (.*)\r$/m.exec(answer)?.[1] ?? null).toBe(allow);
    if (status >= 400 && method !== "HEAD")
      expect(answer).toMatch(
        /HTTP_METHOD_NOT_ALLOWED|HTTP_METHOD_UNKNOWN|ROUTE_NOT_FOUND|METHOD_UNIMPLEMENTED|"unimplemented"/,
      );
  });
});

test.each([
  ["/v1/runs", "GET", ""],
  ["/v1/runs/nothing", "GET", ""],
  ["/nothing", "GET", ""],
  ["/", "GET", ""],
  ["/healthz", "QUERY", ""],
  ["/v1/runs", "BREW", ""],
  [`${SERVICE}/ListRuns`, "POST", "{}"],
  [`${SERVICE}/GetRun`, "POST", "{"],
  ["/v1/runs", "POST", "{"],
])("the answer to %s by %s may not be kept or taken for something else", async (path, method, body) => {
  const answer = await send(`${method} ${path} ${JSON_HEAD}\r\nconnection: close`, body);
  expect(answer).toMatch(/^x-content-type-options: nosniff\r$/m);
  expect(answer.match(/^cache-control: no-store\r$/gm)).toHaveLength(1);
});

describe("the host of a request", () => {
  const HOSTS: readonly (readonly [string, boolean])[] = [
    ["localhost", true],
    ["localhost.:8002", true],
    ["LOCALHOST:1", true],
    ["app.localhost", true],
    ["127.0.0.1:8002", true],
    ["[::1]:8002", true],
    ["console.example.com.:443", true],
    ["evil.example.com", false],
    ["127.0.0.1.evil.example.com", false],
    ["localhost.evil.example.com:8002", false],
    ["[::1].evil.example.com", false],
    ["evil@localhost", false],
    ["", false],
  ];
  test.each(HOSTS)("%j is taken: %j", async (host, taken) => {
    const paths = [
      ["GET", "/v1/runs", ""],
      ["GET", "/healthz", ""],
      ["POST", "/v1/runs", '{"flowId":"f"}'],
      ["POST", `${SERVICE}/ListRuns`, "{}"],
      ["GET", "/v1/runs:watch", ""],
    ] as const;
    for (const [method, path, body] of paths) {
      const { socket, text } = open();
      const upgrade = path === "/healthz" ? "connection: upgrade\r\nupgrade: websocket\r\n" : "";
      socket.write(
        `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${upgrade}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await eventually(() => expect(text()).toMatch(taken ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 403 /));
      if (!taken)
        await eventually(() => expect(text()).toContain(path.startsWith("/o") ? '"permission' : "HOST_REFUSED"));
      socket.destroy();
    }
    // These two are no authority to HTTP/2 itself.
    if (host === "" || host.includes("@")) return;
    const status = await overHttp2({ ":authority": host });
    expect(status).toBe(taken ? "0" : "7");
  });

  test("in a request for a whole address is that of the address", async () => {
    expect(await send("GET http://evil.example.com/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close")).toMatch(
      / 403 /,
    );
    expect(await send("GET http://localhost/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close")).toMatch(
      / 200 /,
    );
  });

  test("must be there once, but for HTTP/1.0", async () => {
    expect(await send("GET /healthz HTTP/1.1\r\nconnection: close")).toMatch(/ 400 [\s\S]*REQUEST_MALFORMED/);
    expect(await send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close")).toMatch(
      / 400 /,
    );
    expect(await send("GET /healthz HTTP/1.0")).toMatch(/ 200 /);
  });

  test("is free where the port is open to the network and no hosts are named", () => {
    const rule = createHostRule([]);
    rule.bind("0.0.0.0");
    expect(rule.allows("anything.example.com")).toBe(true);
    rule.bind("::1");
    expect(rule.allows("anything.example.com")).toBe(false);
    const named = createHostRule(["api.example.com"]);
    expect([named.allows("api.example.com:443"), named.allows("other.example.com")]).toEqual([true, false]);
    expect(createHostRule(["*"]).allows("anything")).toBe(true);
    expect([hostOf("[::1"), hostOf("a:b"), hostOf("."), hostOf("A.B.:1")]).toEqual([null, null, null, "a.b"]);
  });
});

/** The status of a gRPC call to ListRuns with more or other headers. */
async function overHttp2(headers: Record<string, string>, body = frame(new Uint8Array())): Promise<string> {
  const session = connectHttp2(tested.url, { maxSendHeaderBlockLength: 200_000 });
  session.on("error", () => undefined);
  const status = await callHttp2(session, headers, body);
  session.destroy();
  return status;
}

function callHttp2(
  session: ReturnType<typeof connectHttp2>,
  headers: Record<string, string>,
  body = frame(new Uint8Array()),
): Promise<string> {
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `${SERVICE}/ListRuns`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let status = "none";
    const take = (got: Record<string, unknown>): void => {
      status = String(got["grpc-status"] ?? status);
      const details = got["grpc-status-details-bin"];
      if (details === undefined || status === "7") return;
      const [info] = fromBinary(StatusSchema, Buffer.from(String(details), "base64")).details;
      if (info !== undefined) status = fromBinary(ErrorInfoSchema, info.value).reason;
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("error", () => undefined);
    stream.on("close", () => resolve(stream.rstCode === 0 ? status : `reset ${stream.rstCode}`));
    stream.resume();
    stream.end(body);
  });
}

describe("gRPC headers", () => {
  test("beyond the limit cost their call, and the limit is announced", async () => {
    const session = connectHttp2(tested.url, { maxSendHeaderBlockLength: 200_000 });
    session.on("error", () => undefined);
    const many = Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`x-${at}`, "y"]));
    expect(await callHttp2(session, {})).toBe("0");
    expect(await callHttp2(session, { "x-large": "y".repeat(20_000) })).toBe("HEADERS_TOO_LARGE");
    expect(await callHttp2(session, { "x-large": "y".repeat(60_000) })).toBe("HEADERS_TOO_LARGE");
    // ENHANCE_YOUR_CALM, which clients of gRPC take for RESOURCE_EXHAUSTED.
    expect(await callHttp2(session, { a: "y".repeat(50_000), b: "y".repeat(50_000) })).toBe("reset 11");
    expect(await callHttp2(session, many)).toBe("HEADERS_TOO_LARGE");
    // Cause: 128 KiB were announced, and a client that sent one value of 70 KB lost its connection with all calls on
    // it.
    expect(session.remoteSettings.maxHeaderListSize).toBe(65_536);
    expect(await callHttp2(session, { "x-large": "y".repeat(65_000) })).toBe("HEADERS_TOO_LARGE");
    expect(await callHttp2(session, {})).toBe("0");
    expect(session.closed).toBe(false);
    session.destroy();
  });

  test("with a false content length cost their stream", async () => {
    const session = connectHttp2(tested.url);
    let lost = false;
    session.on("close", () => {
      lost = true;
    });
    for (const length of ["3", "50", "abc"])
      expect(await callHttp2(session, { "content-length": length })).toBe("reset 1");
    expect(await callHttp2(session, { "content-length": "5" })).toBe("0");
    expect(lost).toBe(false);
    session.destroy();
  });
});

describe("the time of a call", () => {
  const late = [
    ["rest", `POST /v1/runs ${JSON_HEAD}\r\nx-timeout-ms: 300`, / 504 [\s\S]*DEADLINE_EXCEEDED/],
    ["rest by connect's header", `POST /v1/runs ${JSON_HEAD}\r\nconnect-timeout-ms: 300`, / 504 /],
    ["connect", `POST ${SERVICE}/StartRun ${JSON_HEAD}\r\nconnect-timeout-ms: 300`, /"deadline_exceeded"/],
    [
      "grpc-web",
      `POST ${SERVICE}/StartRun HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/grpc-web+proto\r\ngrpc-timeout: 300m`,
      /grpc-status: 4/,
    ],
  ] as const;
  test.each(late)("ends a body that stalls, by %s", async (_, head, answer) => {
    const startedAt = performance.now();
    const { socket, text, ended } = open();
    socket.write(`${head}\r\ncontent-length: 50\r\n\r\n{"fl`);
    await ended;
    expect(text()).toMatch(answer);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test.each(late)("of 0 has passed at once, by %s", async (_, head, answer) => {
    const before = tested.engine.states.size;
    const body = head.includes("grpc-web") ? frame(startRun("f")) : '{"flowId":"f"}';
    const zero = head.replace(/(timeout-ms: |grpc-timeout: )300/, "$10");
    expect(await send(`${zero}\r\nconnection: close`, body)).toMatch(answer);
    expect(tested.engine.states.size).toBe(before);
  });

  test.each(late)("that cannot be read is named with its header, by %s", async (_, head) => {
    const body = head.includes("grpc-web") ? frame(startRun("f")) : '{"flowId":"f"}';
    for (const wrong of ["0x10", "1e3", "+5", "-1", "", "12345678901"]) {
      const answer = await send(`${head.replace(/300m?$/, wrong)}\r\nconnection: close`, body);
      const name = /(\S+-timeout\S*): \S*$/.exec(head)?.[1] ?? "";
      expect(decodeURIComponent(answer)).toContain(`${name}: must be`);
    }
  });
});

describe("compressed requests", () => {
  const body = '{"flowId":"f"}';
  const post = (path: string, encoding: string, bytes: Buffer) =>
    send(`POST ${path} ${JSON_HEAD}\r\ncontent-encoding: ${encoding}\r\nconnection: close`, bytes);

  test.each(["/v1/runs", `${SERVICE}/StartRun`])("are expanded at %s, with one limit", async (path) => {
    expect(await post(path, "gzip", gzipSync(body))).toMatch(/ 200 /);
    expect(await post(path, "deflate", deflateSync(body))).toMatch(/ 200 /);
    expect(await post(path, "identity", Buffer.from(body))).toMatch(/ 200 /);
    const bomb = gzipSync(Buffer.alloc(TEST_CONFIG.maxMessageBytes * 20, 0x20));
    expect(await post(path, "gzip", bomb)).toMatch(/MESSAGE_TOO_LARGE|the request is larger/);
    expect(await post(path, "gzip", Buffer.from(body))).toMatch(/ 400 [\s\S]*cannot be expanded/);
  });

  test.each(["/submit", "/tasks", "/api/v1/generate"])("are expanded at %s of a merged system", async (path) => {
    const bodyOf = (text: string) => text.split("\r\n\r\n")[1];
    const plain = await post(path, "identity", Buffer.from('{"text":"x"}'));
    expect(plain).toMatch(/ 4\d\d /);
    // The refusal says what is wrong with the fields, so the body was read.
    expect(bodyOf(await post(path, "gzip", gzipSync('{"text":"x"}')))).toBe(bodyOf(plain));
    const bomb = gzipSync(Buffer.alloc(TEST_CONFIG.maxMessageBytes * 20, 0x20));
    expect(await post(path, "gzip", bomb)).toContain("is larger than");
    expect(await post(path, "br", Buffer.from("x"))).toMatch(/^accept-encoding: gzip, deflate\r$/m);
  });

  test("in another encoding are refused with those that are read", async () => {
    const answer = await post("/v1/runs", "br", Buffer.from(body));
    expect(answer).toMatch(/^HTTP\/1\.1 415 /);
    expect(answer).toMatch(/^accept-encoding: gzip, deflate\r$/m);
    expect(await post(`${SERVICE}/StartRun`, "br", Buffer.from(body))).toMatch(/unimplemented[\s\S]*gzip, deflate/);
  });
});

test("callers that go away in the middle of a body are no errors of the service", async () => {
  const before = tested.errors.length;
  for (const [, head] of STARTS) {
    const { socket, text, ended } = open();
    socket.write(`${head}\r\ncontent-length: 5000\r\nexpect: 100-continue\r\n\r\n{"fl`);
    await eventually(() => expect(text()).toContain("100 Continue"));
    socket.resetAndDestroy();
    await ended;
  }
  // What came after them has been answered, so they have been dealt with.
  for (const [, head, body] of STARTS) expect(await send(head, body)).toMatch(/^HTTP\/1\.1 200 /);
  expect(tested.errors.slice(before)).toEqual([]);
});
