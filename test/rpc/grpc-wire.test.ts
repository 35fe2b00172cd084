// gRPC by hand, where clients of libraries cannot go: cut, doubled and missing messages, compression, callers who go on
// sending, HTTP/2 that is no gRPC.
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
} from "node:http2";
import { deflateSync, gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ErrorInfoSchema, RequestInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openGrpc } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const GET_RUN = "/orchestrator.v1.RunService/GetRun";

let tested: TestApi;
let session: ClientHttp2Session;

beforeAll(async () => {
  tested = await startApi({ slowReaderMs: 200 });
  session = connectHttp2(tested.url);
});

afterAll(async () => {
  session.destroy();
  await tested.api.close(50);
});

afterEach(() => {
  // Nothing of all this is a bug of the service.
  expect(tested.errors).toEqual([]);
});

/** How a call ended: HTTP status, status of gRPC, reason and request id of its details, body. */
interface Ending {
  readonly http: unknown;
  readonly code: number;
  readonly reason: string | undefined;
  readonly requestId: string | undefined;
  readonly body: string;
}

function open(headers: Record<string, string> = {}): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": GET_RUN,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  return stream.on("error", () => undefined);
}

async function endOf(stream: ClientHttp2Stream): Promise<Ending> {
  const got: IncomingHttpHeaders = {};
  stream.on("response", (headers) => Object.assign(got, headers));
  stream.on("trailers", (headers) => Object.assign(got, headers));
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.on("end", resolve).on("close", resolve));
  const packed = got["grpc-status-details-bin"];
  const details = packed === undefined ? [] : fromBinary(StatusSchema, Buffer.from(String(packed), "base64")).details;
  const find = (name: string) => details.find(({ typeUrl }) => typeUrl.endsWith(`.${name}`))?.value;
  const [info, request] = [find("ErrorInfo"), find("RequestInfo")];
  return {
    http: got[":status"],
    code: Number(got["grpc-status"]),
    reason: info && fromBinary(ErrorInfoSchema, info).reason,
    requestId: request && fromBinary(RequestInfoSchema, request).requestId,
    body: Buffer.concat(chunks).toString(),
  };
}

function frame(bytes: Uint8Array, flags = 0): Buffer {
  const head = Buffer.from([flags, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function getRun(runId: string): Buffer {
  const { input } = RunService.method.getRun;
  return Buffer.from(toBinary(input, create(input, { runId })));
}

const whole = frame(getRun("nobody"));

test.each([
  ["no message", Buffer.alloc(0), {}, 12, "PROTOCOL_UNSUPPORTED"],
  ["two messages", Buffer.concat([whole, whole]), {}, 12, "PROTOCOL_UNSUPPORTED"],
  ["half a prefix", whole.subarray(0, 3), {}, 3, "REQUEST_MALFORMED"],
  ["half a message", whole.subarray(0, 7), {}, 3, "REQUEST_MALFORMED"],
  ["unknown flags", frame(getRun("nobody"), 4), {}, 3, "REQUEST_MALFORMED"],
  ["compression without a name", frame(gzipSync(getRun("nobody")), 1), {}, 3, "REQUEST_MALFORMED"],
  ["a name of an object's own", frame(getRun("x"), 1), { "grpc-encoding": "constructor" }, 12, "PROTOCOL_UNSUPPORTED"],
  ["a bomb", frame(gzipSync(Buffer.alloc(50_000_000)), 1), { "grpc-encoding": "gzip" }, 3, "MESSAGE_TOO_LARGE"],
  ["a length beyond the limit", Buffer.from([0, 255, 0, 0, 0]), {}, 3, "MESSAGE_TOO_LARGE"],
  ["a path without a service", whole, { ":path": "/nothing" }, 12, "METHOD_UNIMPLEMENTED"],
  ["a path with a query", whole, { ":path": `${GET_RUN}?a=1` }, 12, "METHOD_UNIMPLEMENTED"],
  ["a time limit of nine digits", whole, { "grpc-timeout": "123456789S" }, 3, "INVALID_REQUEST"],
])("%s is refused with details and the id of the request", async (_, bytes, headers, code, reason) => {
  const stream = open({ "x-request-id": "wire-1", ...(headers as Record<string, string>) });
  stream.end(bytes);
  expect(await endOf(stream)).toMatchObject({ http: 200, code, reason, requestId: "wire-1" });
});

test.each([
  ["gzip", gzipSync(getRun("nobody")), 1],
  ["deflate", deflateSync(getRun("nobody")), 1],
  ["gzip", getRun("nobody"), 0],
])("a message by %s is read", async (encoding, bytes, flags) => {
  const stream = open({ "grpc-encoding": encoding });
  stream.end(frame(bytes, flags));
  expect(await endOf(stream)).toMatchObject({ code: 5, reason: "RUN_NOT_FOUND" });
});

test("a message may come byte by byte, its end apart", async () => {
  const stream = open({ "content-type": "application/grpc+proto; charset=utf-8" });
  for (const byte of whole) {
    stream.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  expect(await endOf(stream)).toMatchObject({ code: 5, reason: "RUN_NOT_FOUND" });
});

test("a request that never becomes whole is waited for as long as its call may take", async () => {
  const stream = open({ "grpc-timeout": "300m" });
  stream.write(whole.subarray(0, 7));
  expect(await endOf(stream)).toMatchObject({ http: 200, code: 4, reason: "DEADLINE_EXCEEDED" });
  await eventually(() => expect(stream.closed).toBe(true));
});

test("a caller who goes on sending after the refusal hears it, and is broken off", async () => {
  const stream = open({ ":path": "/unknown.Service/Method" });
  stream.write(whole);
  expect(await endOf(stream)).toMatchObject({ code: 12, reason: "METHOD_UNIMPLEMENTED" });
  await eventually(() => expect(stream.closed).toBe(true));
  expect(stream.rstCode).toBe(0);
});

test("a caller who leaves is no longer worked for", async () => {
  const client = openGrpc(tested.address);
  await client.ask(RunService.method.startRun, { flowId: "open", runId: "r" });
  client.close();
  const before = tested.finished.length;
  const stream = open({ ":path": "/orchestrator.v1.RunService/WaitRun" });
  const { input } = RunService.method.waitRun;
  stream.end(frame(toBinary(input, create(input, { runId: "r", wait: { seconds: 20n } }))));
  await eventually(() => expect(tested.engine.signals.length).toBeGreaterThan(0));
  stream.close(8);
  await eventually(() =>
    expect(tested.finished.slice(before)).toEqual([{ method: expect.any(String), code: "CANCELLED" }]),
  );
  expect(tested.engine.signals.at(-1)?.aborted).toBe(true);
});

test.each([
  ["an unknown encoding", { "grpc-encoding": "br" }],
  ["an unknown codec", { "content-type": "application/grpc+thrift" }],
  ["another HTTP method", { ":method": "DELETE" }],
])("%s of a gRPC caller is refused in the form of gRPC", async (_, headers) => {
  // Cause: unknown codecs and methods were answered in JSON, and an encoding that no message used was not looked at.
  const stream = open(headers as Record<string, string>);
  stream.end(whole);
  expect(await endOf(stream)).toMatchObject({ http: 200, code: 12, reason: "PROTOCOL_UNSUPPORTED" });
});

test.each([
  ["a GET", { ":method": "GET", "content-type": "text/plain" }],
  ["Connect", { "content-type": "application/proto" }],
  ["REST", { "content-type": "application/json", ":path": "/v1/runs" }],
  ["gRPC-Web", { "content-type": "application/grpc-web+proto" }],
])("%s over HTTP/2 is told where it is served", async (_, headers) => {
  const stream = open(headers as Record<string, string>);
  stream.end();
  const { http, body } = await endOf(stream);
  expect([415, 200]).toContain(http);
  expect(body).toMatch(/HTTP(\/|%2F)1\.1/);
});
