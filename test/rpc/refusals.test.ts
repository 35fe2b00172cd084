// Refusals that differed between the protocols, because a library answered before our code did: integers that were
// rounded and unknown names that were passed over on Connect's JSON, wrong codes, answers without details, details that
// were too long for trailers.
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import type { JsonObject } from "@bufbuild/protobuf";
import { create, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorTypes } from "../../src/api/http/print.ts";
import { OrchestratorError } from "../../src/base/errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RequestInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startApi, TEST_CONFIG, type TestApi } from "./support/start-api.ts";

let tested: TestApi;

beforeAll(async () => {
  tested = await startApi();
});

afterAll(() => tested.api.close(50));

const SERVICE = "/orchestrator.v1.RunService";

/** What a refusal says, whatever its form. */
interface Refusal {
  readonly http: number;
  readonly code: string | number;
  readonly reason: string | undefined;
  readonly fields: readonly string[] | undefined;
  readonly requestId: string | undefined;
}

function details(http: number, code: string | number, packed: readonly { type: string; value: Uint8Array }[]): Refusal {
  const find = (name: string) => packed.find(({ type }) => type.endsWith(`.${name}`))?.value;
  const [info, request, bad] = [find("ErrorInfo"), find("RequestInfo"), find("BadRequest")];
  return {
    http,
    code,
    reason: info && fromBinary(ErrorInfoSchema, info).reason,
    requestId: request && fromBinary(RequestInfoSchema, request).requestId,
    fields: bad && fromBinary(BadRequestSchema, bad).fieldViolations.map(({ field }) => field),
  };
}

function ofStatus(http: number, { code, details: packed }: Status): Refusal {
  return details(
    http,
    code,
    packed.map(({ typeUrl, value }) => ({ type: typeUrl, value })),
  );
}

function ofConnect(http: number, error: { code: string; details?: { type: string; value: string }[] }): Refusal {
  const packed = (error.details ?? []).map(({ type, value }) => ({ type, value: Buffer.from(value, "base64") }));
  return details(http, error.code, packed);
}

/** Frames of a stream: flags and data. */
function frames(bytes: Buffer): { flags: number; data: Buffer }[] {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1);
    found.push({ flags: bytes[at] ?? 0, data: bytes.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return found;
}

function frame(data: string | Uint8Array, flags = 0): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(data as Uint8Array);
  const head = Buffer.from([flags, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return new Uint8Array(Buffer.concat([head, bytes]));
}

/** Reads a refusal in the form of the answer; null when the answer is none. */
async function refusalOf(response: Response): Promise<Refusal | null> {
  const type = response.headers.get("content-type") ?? "";
  let bytes = Buffer.from(await response.arrayBuffer());
  if (type.startsWith("application/grpc-web-text")) bytes = Buffer.from(bytes.toString("latin1"), "base64");
  if (type.startsWith("application/grpc-web")) {
    const trailers = frames(bytes).at(-1)?.data.toString("latin1") ?? "";
    const packed = /grpc-status-details-bin: (\S+)/.exec(trailers)?.[1];
    if (packed === undefined)
      return trailers.includes("grpc-status: 0") ? null : details(response.status, trailers, []);
    const status = fromBinary(StatusSchema, Buffer.from(packed, "base64"));
    expect(trailers).toContain(`grpc-status: ${status.code}\r\n`);
    return ofStatus(response.status, status);
  }
  if (type.startsWith("application/connect+")) {
    const { error } = JSON.parse(frames(bytes).at(-1)?.data.toString() ?? "{}");
    return error === undefined ? null : ofConnect(response.status, error);
  }
  if (response.ok) return null;
  const json = JSON.parse(bytes.toString()) as JsonObject;
  return typeof json.code === "string"
    ? ofConnect(response.status, json as never)
    : ofStatus(response.status, fromJson(StatusSchema, json, { registry: errorTypes }));
}

/** Sends the same JSON by every protocol that takes JSON. */
const JSON_FORMS: Readonly<Record<string, (json: string) => Promise<Response>>> = {
  rest: (json) => post("/v1/runs", "application/json", json),
  connect: (json) => post(`${SERVICE}/StartRun`, "application/json", json),
  "connect, compressed": (json) =>
    post(`${SERVICE}/StartRun`, "application/json", new Uint8Array(gzipSync(json)), { "content-encoding": "gzip" }),
  "grpc-web": (json) => post(`${SERVICE}/StartRun`, "application/grpc-web+json", frame(json)),
  "grpc-web, compressed": (json) =>
    post(`${SERVICE}/StartRun`, "application/grpc-web+json", frame(gzipSync(json), 1), {
      "grpc-encoding": "gzip",
      "grpc-accept-encoding": "identity",
    }),
};

function post(
  path: string,
  type: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(tested.url + path, { method: "POST", headers: { "content-type": type, ...headers }, body });
}

describe.each(Object.keys(JSON_FORMS))("JSON by %s", (form) => {
  const send = (json: string) => (JSON_FORMS[form] as (json: string) => Promise<Response>)(json);

  test.each([
    ["an integer that a double cannot hold", '{"flowId":"f","input":{"a":9007199254740993}}', "INVALID_JSON", "body"],
    ["a key that stands twice", '{"flowId":"f","input":{"a":1,"a":2}}', "INVALID_JSON", "body"],
    ["a wrong name of an enum", '{"flowId":"f","runKeyPolicy":"NOPE"}', "INVALID_REQUEST", "run_key_policy"],
    ["an unknown field", '{"flowId":"f","flowVersion":"1"}', "INVALID_REQUEST", "flowVersion"],
    ["an unknown nested field", '{"flowId":"f","signals":[{"x":1}]}', "INVALID_REQUEST", "signals[0].x"],
    ["a wrong type", '{"flowId":7}', "INVALID_REQUEST", "flow_id"],
    ["a wrong duration", '{"flowId":"f","wait":"abc"}', "INVALID_REQUEST", "wait"],
    ["a list as input", '{"flowId":"f","input":[1]}', "INVALID_REQUEST", "input"],
    ["half an object", "{", "INVALID_JSON", "body"],
    ["input that is too deep", `{"flowId":"f","input":${nest(70)}}`, "INVALID_JSON", "input"],
    ["input that is too large", `{"flowId":"f","input":{"a":"${"x".repeat(70_000)}"}}`, "PAYLOAD_TOO_LARGE", "input"],
  ])("%s is refused, and nothing is started", async (_, json, reason, field) => {
    const before = tested.engine.states.size;
    expect(await refusalOf(await send(json))).toMatchObject({ reason, fields: [field] });
    expect(tested.engine.states.size).toBe(before);
  });

  test("what is right is taken, at the limit of depth too", async () => {
    expect(await refusalOf(await send(`{"flow_id":"f","input":${nest(60)},"wait":"1s"}`))).toBeNull();
  });
});

/** An object that nests `levels` deep. */
function nest(levels: number): string {
  return `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
}

test("JSON of a GET and of a stream is read in the same way", async () => {
  const get = (message: string, more = "") =>
    fetch(`${tested.url}${SERVICE}/ListRuns?encoding=json&message=${encodeURIComponent(message)}${more}`);
  expect(await refusalOf(await get('{"nothing":1}'))).toMatchObject({ code: "invalid_argument", fields: ["nothing"] });
  expect(await refusalOf(await get("eyJwYWdlU2l6ZSI6Mn0", "&base64=1"))).toBeNull();
  expect(await refusalOf(await get("%%%", "&base64=1"))).toMatchObject({ reason: "REQUEST_MALFORMED" });
  const packed = gzipSync('{"pageSize":"x"}').toString("base64url");
  expect(await refusalOf(await get(packed, "&base64=1&compression=gzip"))).toMatchObject({ fields: ["page_size"] });
  const stream = await post(`${SERVICE}/WatchRun`, "application/connect+json", frame('{"runId":"r","nothing":1}'));
  expect(await refusalOf(stream)).toMatchObject({ code: "invalid_argument", fields: ["nothing"] });
});

test("Protobuf that is none has one code on every protocol", async () => {
  const bytes = new Uint8Array([255, 255, 255]);
  expect(await refusalOf(await post(`${SERVICE}/StartRun`, "application/proto", bytes))).toMatchObject({
    http: 400,
    code: "invalid_argument",
    reason: "REQUEST_MALFORMED",
  });
  expect(await refusalOf(await post(`${SERVICE}/StartRun`, "application/grpc-web", frame(bytes)))).toMatchObject({
    code: 3,
    reason: "REQUEST_MALFORMED",
  });
});

test("a frame that is cut off, or an unknown compression, has details", async () => {
  // Cause: the library judged them, so flags were INTERNAL and a length beyond the limit a response that is too large.
  const bad = [frame("{}").slice(0, 6), frame("", 255), new Uint8Array([0, 255, 255, 255, 255, 0])];
  for (const type of ["application/grpc-web+json", "application/grpc-web"])
    for (const body of bad)
      expect(await refusalOf(await post(`${SERVICE}/StartRun`, type, body))).toMatchObject({
        reason: "REQUEST_MALFORMED",
      });
  const br = await post(`${SERVICE}/StartRun`, "application/json", "{}", { "content-encoding": "br" });
  expect(await refusalOf(br)).toMatchObject({ code: "unimplemented", reason: "PROTOCOL_UNSUPPORTED" });
  const broken = await post(`${SERVICE}/StartRun`, "application/json", "{}", { "content-encoding": "gzip" });
  expect(await refusalOf(broken)).toMatchObject({ http: 400, reason: "REQUEST_MALFORMED" });
});

test("an object that nests too deep is one error over Protobuf, and one that does not is taken", async () => {
  const { input } = RunService.method.startRun;
  for (const [levels, expected] of [
    [60, undefined],
    [70, "INVALID_JSON"],
    [400, "INVALID_JSON"],
  ] as const) {
    const value = JSON.parse(nest(levels)) as JsonObject;
    const bytes = new Uint8Array(toBinary(input, create(input, { flowId: "f", inputValue: { case: "input", value } })));
    const overConnect = await refusalOf(await post(`${SERVICE}/StartRun`, "application/proto", bytes));
    expect(overConnect?.reason).toBe(expected);
    const overGrpc = await callGrpc(bytes);
    expect(overGrpc.status === null ? undefined : ofStatus(200, overGrpc.status).reason).toBe(expected);
    if (overGrpc.status !== null) expect(overGrpc.status.message).toContain("64 levels");
  }
});

/** A StartRun of grpc-js with the bytes. */
function callGrpc(bytes: Uint8Array, method = "StartRun"): Promise<{ status: Status | null; metadata: number }> {
  return new Promise((resolve) => {
    const client = new Client(tested.address, credentials.createInsecure(), { "grpc.max_send_message_length": -1 });
    const same = (buffer: Buffer): Buffer => buffer;
    client.makeUnaryRequest(`${SERVICE}/${method}`, same, same, Buffer.from(bytes), (error: ServiceError | null) => {
      client.close();
      const packed = error?.metadata.get("grpc-status-details-bin")[0] as Buffer | undefined;
      resolve({
        status: packed === undefined ? null : fromBinary(StatusSchema, packed),
        metadata: error === null ? 0 : encodeURIComponent(error.details).length + ((packed?.length ?? 0) * 4) / 3,
      });
    });
  });
}

test.each([1, 3])("a message of %i times the limit is refused with the limit", async (factor) => {
  const { input } = RunService.method.startRun;
  const { maxMessageBytes } = TEST_CONFIG;
  const request = create(input, { flowId: "f", userId: "x".repeat(maxMessageBytes * factor) });
  const { status } = await callGrpc(toBinary(input, request));
  expect(status).toMatchObject({
    code: 3,
    message: expect.stringMatching(new RegExp(`^the request is larger .* ${maxMessageBytes} bytes`)),
  });
});

test.each([
  ["a broken time limit", { "grpc-timeout": "soon" }, 0, 3, "INVALID_REQUEST"],
  ["unknown compression", { "grpc-encoding": "br" }, 1, 12, "PROTOCOL_UNSUPPORTED"],
  ["bytes that do not expand", { "grpc-encoding": "gzip" }, 1, 3, "REQUEST_MALFORMED"],
])("%s is refused by gRPC with details", async (_, headers, flags, code, reason) => {
  const session = connectHttp2(tested.url);
  const stream = session.request({
    ":method": "POST",
    ":path": `${SERVICE}/GetRun`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const answer = new Promise<Record<string, unknown>>((resolve) => {
    for (const event of ["response", "trailers"])
      stream.on(event, (got) => got["grpc-status"] !== undefined && resolve(got as never));
  });
  stream.end(frame("abc", flags));
  const got = await answer;
  session.destroy();
  const status = fromBinary(StatusSchema, Buffer.from(String(got["grpc-status-details-bin"]), "base64"));
  expect(ofStatus(200, status)).toMatchObject({ code, reason });
  expect(got["grpc-status"]).toBe(String(code));
});

describe("answers that no handler makes are in the form of the caller", () => {
  const FORMS = [
    ["application/json", "unimplemented", "permission_denied"],
    ["application/proto", "unimplemented", "permission_denied"],
    ["application/connect+json", "unimplemented", "permission_denied"],
    ["application/grpc-web+proto", 12, 7],
    ["application/grpc-web-text", 12, 7],
  ] as const;

  test.each(FORMS)("unknown methods and services, as %s", async (type, code) => {
    for (const path of [`${SERVICE}/Nothing`, "/unknown.v1.Service/Method"])
      expect(await refusalOf(await post(path, type, "{}"))).toMatchObject({ code, reason: "METHOD_UNIMPLEMENTED" });
  });

  test.each(FORMS)("refused origins, as %s", async (type, _, code) => {
    const response = await post(`${SERVICE}/StartRun`, type, "{}", { origin: "https://evil.example.com" });
    expect(await refusalOf(response)).toMatchObject({ code, reason: "ORIGIN_REFUSED" });
  });

  test("wrong content types", async () => {
    const refusal = await refusalOf(await post(`${SERVICE}/StartRun`, "text/plain", "{}"));
    expect(refusal).toMatchObject({ http: 415, code: "unimplemented", reason: "PROTOCOL_UNSUPPORTED" });
  });

  test.each([
    ["PUT", "StartRun", "POST"],
    ["DELETE", "StartRun", "POST"],
    ["PATCH", "ListRuns", "GET, POST"],
    ["GET", "StartRun", "POST"],
  ])("%s on %s", async (method, name, allow) => {
    const response = await fetch(`${tested.url}${SERVICE}/${name}`, { method });
    expect(response.headers.get("allow")).toBe(allow);
    expect(await refusalOf(response)).toMatchObject({
      http: 405,
      code: "unimplemented",
      reason: "HTTP_METHOD_NOT_ALLOWED",
    });
  });
});

test("errors carry the id of the request, the caller's or one of our own", async () => {
  const ask = (requestId: string) => fetch(`${tested.url}/v1/runs/nope`, { headers: { "x-request-id": requestId } });
  expect((await refusalOf(await ask("abc-1")))?.requestId).toBe("abc-1");
  for (const bad of ["x".repeat(129), "a b"])
    expect((await refusalOf(await ask(bad)))?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  for (const path of [`${SERVICE}/GetRun`, `${SERVICE}/Nothing`]) {
    const response = await post(path, "application/json", '{"runId":"nope"}', { "x-request-id": "abc-2" });
    expect((await refusalOf(response))?.requestId).toBe("abc-2");
  }
  tested.engine.failWith(new Error("boom"));
  await ask("abc-3");
  expect(tested.errors.at(-1)?.fields).toMatchObject({ requestId: "abc-3" });
});

test.each([
  ["/v1/runs?filter=nothing", ["filter"]],
  ["/v1/runs?pageToken=AAAA", ["page_token"]],
  ["/v1/runs/r:watch?cursor=x", ["cursor"]],
  ["/v1/runs?filter=flow_id==%22%5Cu0000%22", ["filter"]],
])("%s names the field", async (path, fields) => {
  await post("/v1/runs", "application/json", '{"flowId":"open","runId":"r"}');
  expect(await refusalOf(await fetch(tested.url + path))).toMatchObject({ http: 400, fields });
});

test("a bad time limit and a start's own wait in a batch name the field", async () => {
  const response = await fetch(`${tested.url}/v1/runs/r`, { headers: { "x-timeout-ms": "soon" } });
  expect(await refusalOf(response)).toMatchObject({ fields: ["x-timeout-ms"] });
  const batch = await post("/v1/runs:batchStart", "application/json", '{"requests":[{"flowId":"f","wait":"1s"}]}');
  expect(JSON.stringify(await batch.json())).toContain('"fieldViolations":[{"field":"requests[0].wait"');
});

test("HEAD of a stream is refused instead of waiting for its end", async () => {
  await post("/v1/runs", "application/json", '{"flowId":"open","runId":"head"}');
  for (const path of ["/v1/runs:watch", "/v1/runs/head:watch"]) {
    const response = await fetch(tested.url + path, { method: "HEAD" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET"]);
  }
});

test.each([
  ["a broken header", "GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "REQUEST_MALFORMED"],
  [
    "a negative length",
    "POST /v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    400,
    "REQUEST_MALFORMED",
  ],
  [
    "a header of 20 kB",
    `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
    431,
    "HEADERS_TOO_LARGE",
  ],
])("%s is answered with a status in JSON", async (_, text, status, reason) => {
  const socket = connect(Number(tested.address.split(":")[1]), "127.0.0.1");
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString();
  });
  socket.on("error", () => undefined);
  socket.write(text);
  await eventually(() => expect(received).toContain("\r\n\r\n{"));
  expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(JSON.parse(received.slice(received.indexOf("\r\n\r\n{")))).toMatchObject({
    details: expect.arrayContaining([expect.objectContaining({ reason })]),
  });
  socket.destroy();
});

test.each(["猫".repeat(2_000), "x ".repeat(4_000), "é\u0000\ud800".repeat(2_000)])(
  "details of long errors stay below what clients read of trailers",
  async (problem) => {
    // Percent-encoding makes nine bytes of a character of Chinese: clients refused the answer, and with it all details.
    const violations = Array.from({ length: 50 }, (_, at) => ({ field: `猫[${at}]${problem}`, description: problem }));
    const { input } = RunService.method.getRun;
    const bytes = toBinary(input, create(input, { runId: "r" }));
    for (const list of [violations, []]) {
      tested.engine.failWith(
        new OrchestratorError("INVALID_REQUEST", { problem, field: problem, runId: problem }, { violations: list }),
      );
      const { status, metadata } = await callGrpc(bytes, "GetRun");
      expect(metadata).toBeLessThan(7_700);
      expect(status).not.toBeNull();
      const [first] = status?.details.filter(({ typeUrl }) => typeUrl.endsWith("BadRequest")) ?? [];
      expect(first && fromBinary(BadRequestSchema, first.value).fieldViolations[0]?.description).toMatch(/…$/);
    }
  },
);
