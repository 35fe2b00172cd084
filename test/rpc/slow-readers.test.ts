// A reader who stalls held its watch forever: the servers waited for `drain` without a bound, and WATCH_TOO_SLOW came
// only when he read again.
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const SLOW_MS = 700;
const WATCH = "/orchestrator.v1.RunService/WatchRun";
const { input } = RunService.method.watchRun;

let tested: TestApi;
let runs = 0;
let runId = "";

beforeAll(async () => {
  tested = await startApi({ slowReaderMs: SLOW_MS });
});

afterAll(() => tested.api.close(50));

beforeEach(async () => {
  runId = `slow-${(runs += 1)}`;
  await fetch(`${tested.url}/v1/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ flowId: "open", runId }),
  });
  tested.finished.length = 0;
  tested.engine.signals.length = 0;
});

/** Makes more events than all buffers between the engine and a reader hold. */
function flood(): void {
  const at = 1_700_000_100_000;
  for (let id = 1; id <= 12_000; id += 1)
    tested.engine.push(runId, { type: "signal.received", at, id, name: "s".repeat(1_200), payload: null });
}

/** The server has taken the watch. */
async function watching(): Promise<void> {
  await eventually(() => expect(tested.engine.signals.length).toBeGreaterThan(0));
}

/** The watch has ended, although nobody has read. */
function ended(): Promise<void> {
  return eventually(() => expect(tested.finished).toContainEqual({ method: WATCH, code: "ABORTED" }), {
    timeoutMs: 20_000,
  });
}

function frame(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A WatchRun by hand: the clients of libraries gather whatever comes. */
function watchGrpc() {
  const session = connectHttp2(tested.url);
  const stream = session.request({
    ":method": "POST",
    ":path": WATCH,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  stream.pause();
  stream.end(frame(toBinary(input, create(input, { runId }))));
  return { session, stream };
}

function watchHttp(head: string, body: Buffer = Buffer.alloc(0)): Socket {
  const socket = connect({ port: Number(tested.address.split(":")[1]), host: "127.0.0.1" });
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(
    Buffer.concat([Buffer.from(`${head}\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n`), body]),
  );
  return socket;
}

async function allOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text = (text + chunk.toString("latin1")).slice(-20_000);
  });
  socket.resume();
  await eventually(() => expect(text).toContain("\r\n0\r\n\r\n"), { timeoutMs: 10_000 });
  return text;
}

/** Sockets of this process, of clients and of the service. */
function countSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}

test("gRPC: the watch of a stalled reader ends, and its last word is the place to go on from", async () => {
  const { session, stream } = watchGrpc();
  await watching();
  flood();
  await ended();
  const trailers = new Promise<Record<string, unknown>>((resolve) => stream.on("trailers", resolve as never));
  stream.resume();
  const got = await trailers;
  expect(got["grpc-status"]).toBe("10");
  const status = fromBinary(StatusSchema, Buffer.from(String(got["grpc-status-details-bin"]), "base64"));
  const [info] = status.details;
  expect(info && fromBinary(ErrorInfoSchema, info.value)).toMatchObject({
    reason: "WATCH_TOO_SLOW",
    metadata: { cursor: expect.stringMatching(/^s[0-9a-z]+\./) },
  });
  session.destroy();
});

test("gRPC: a reader who does not take the last word either loses the stream, not the connection", async () => {
  const { session, stream } = watchGrpc();
  await watching();
  flood();
  await ended();
  await eventually(() => expect(stream.rstCode).toBe(11), { timeoutMs: 10_000 });
  expect(session.destroyed).toBe(false);
  session.destroy();
});

test("event streams: the last event is the error, with the cursor", async () => {
  const socket = watchHttp(`GET /v1/runs/${runId}:watch HTTP/1.1`);
  await watching();
  flood();
  await ended();
  const text = await allOf(socket);
  const [id] = [...text.matchAll(/\nid: (\S+)\n/g)].at(-1)?.slice(1) ?? [];
  expect(text).toContain("event: error\n");
  expect(text).toContain(`"cursor":"${id}"`);
  socket.destroy();
});

test("Connect and gRPC-Web: the last frame is the error", async () => {
  const body = frame(Buffer.from(toBinary(input, create(input, { runId }))));
  for (const [type, expected] of [
    ["application/grpc-web", "grpc-status: 10"],
    ["application/connect+proto", '"aborted"'],
  ]) {
    tested.finished.length = 0;
    tested.engine.signals.length = 0;
    const socket = watchHttp(`POST ${WATCH} HTTP/1.1\r\ncontent-type: ${type}`, body);
    await watching();
    flood();
    await ended();
    expect(await allOf(socket)).toContain(expected);
    socket.destroy();
  }
});

test("event streams: a reader who never reads again loses the connection", async () => {
  const socket = watchHttp(`GET /v1/runs/${runId}:watch HTTP/1.1`);
  await watching();
  flood();
  await ended();
  // The connection is broken off; what the kernel holds still comes, the end of the answer does not.
  const before = countSockets();
  await eventually(() => expect(countSockets()).toBeLessThan(before), { timeoutMs: 10_000 });
  let text = "";
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("data", (chunk) => {
    text = (text + chunk.toString("latin1")).slice(-20_000);
  });
  socket.resume();
  await closed;
  expect(text).not.toContain("event: error");
});
