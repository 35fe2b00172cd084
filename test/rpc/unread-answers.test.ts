// Cause: requests of a connection were served as they came, whether or not its caller took the answers; a hundred
// requests for a large run made a hundred answers, and the process held all of them.
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startOf } from "../support/start-of.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const CALLS = 150;
const GET_RUN = "/orchestrator.v1.RunService/GetRun";
const { input } = RunService.method.getRun;
const INPUT = { text: "x".repeat(200_000) };

let tested: TestApi;

async function open(slowReaderMs: number): Promise<void> {
  tested = await startApi({ maxMessageBytes: 4_194_304, maxInlinePayloadBytes: 1_000_000, slowReaderMs });
  await tested.engine.startRun({ tenantId: "default", actor: "" }, startOf("done", { runId: "big", input: INPUT }), 0);
}

beforeEach(() => open(20_000));
afterEach(() => tested.api.close(50));

const served = (): number => tested.finished.filter(({ method }) => method === GET_RUN).length;

/** A caller that sends many requests at once. It reads when it is told to. */
interface Caller {
  readonly read: () => void;
  readonly close: () => void;
}

function callHttp(request: string): Caller {
  const socket = connect({ port: Number(tested.address.split(":")[1]), host: "127.0.0.1" });
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(request.repeat(CALLS));
  return { read: () => socket.resume(), close: () => socket.destroy() };
}

/** The request of a method, framed. */
function frame(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, bytes.length]), bytes]);
}

const GET_BIG = frame(toBinary(input, create(input, { runId: "big" })));

function callGrpc(calls = CALLS, path = GET_RUN, body = GET_BIG): Caller {
  const session = connectHttp2(tested.url);
  const streams = Array.from({ length: calls }, () => {
    const head = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    const stream = session.request(head);
    stream.on("error", () => undefined);
    stream.pause();
    stream.end(body);
    return stream;
  });
  return {
    read: () => {
      for (const stream of streams) stream.resume();
    },
    close: () => session.destroy(),
  };
}

const BODY = '{"runId":"big"}';
const PROTOCOLS: readonly (readonly [name: string, call: () => Caller])[] = [
  ["gRPC", () => callGrpc()],
  ["REST", () => callHttp("GET /v1/runs/big HTTP/1.1\r\nhost: localhost\r\n\r\n")],
  [
    "Connect",
    () =>
      callHttp(
        `POST ${GET_RUN} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
      ),
  ],
];

/** Sockets of this process, of clients and of the service. */
function countSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
}

test.each(PROTOCOLS)(
  "%s: what a caller does not read bounds what is served to it",
  { timeout: 60_000 },
  async (name, call) => {
    const caller = call();
    await eventually(() => expect(served()).toBeGreaterThan(0));
    // Others are served meanwhile, often enough for everything of the first caller to have come.
    const others = 20;
    for (let turn = 0; turn < others; turn += 1) await (await fetch(`${tested.url}/v1/runs/big?readMask=runId`)).text();
    // Over HTTP/2 a client opens a hundred streams before it knows the limit; those that come later wait.
    expect(served() - others).toBeLessThan(name === "gRPC" ? 110 : 50);
    caller.read();
    await eventually(() => expect(served()).toBe(CALLS + others), { timeoutMs: 40_000 });
    caller.close();
  },
);

test.each(PROTOCOLS.slice(1))(
  "%s: a caller that never reads loses its connection",
  { timeout: 60_000 },
  async (_name, call) => {
    await tested.api.close(50);
    await open(300);
    call();
    await eventually(() => expect(served()).toBeGreaterThan(0));
    const before = countSockets();
    await eventually(() => expect(countSockets()).toBeLessThan(before), { timeoutMs: 20_000 });
  },
);

test("gRPC: calls of a caller that never reads are broken off, and make room for the next", {
  timeout: 60_000,
}, async () => {
  await tested.api.close(50);
  await open(300);
  const caller = callGrpc();
  await eventually(() => expect(served()).toBe(CALLS), { timeoutMs: 40_000 });
  caller.close();
});

// Cause: a burst of calls was served before the size of the first answer was known, up to all streams of a connection.
test("gRPC: of a burst of reads at most 100 are made at the same time, and waits hold up none", {
  timeout: 60_000,
}, async () => {
  const { getRun } = tested.engine;
  let making = 0;
  let most = 0;
  const ready = Promise.withResolvers<void>();
  tested.engine.getRun = async (...call) => {
    making += 1;
    most = Math.max(most, making);
    await ready.promise;
    making -= 1;
    return getRun(...call);
  };
  let waiting = 0;
  const ended = Promise.withResolvers<void>();
  tested.engine.waitRun = async (...call) => {
    waiting += 1;
    await ended.promise;
    return getRun(call[0], call[1]);
  };
  const { method } = RunService;
  const wait = { seconds: 40n, nanos: 0 };
  const waits = frame(toBinary(method.waitRun.input, create(method.waitRun.input, { runId: "big", wait })));
  const waiters = callGrpc(CALLS, GET_RUN.replace("GetRun", "WaitRun"), waits);
  await eventually(() => expect(waiting).toBe(CALLS), { timeoutMs: 20_000 });
  const readers = callGrpc(2 * CALLS);
  await eventually(() => expect(making).toBe(100), { timeoutMs: 20_000 });
  // Another connection is served meanwhile.
  expect((await fetch(`${tested.url}/v1/flows`)).status).toBe(200);
  expect(most).toBe(100);
  readers.read();
  ready.resolve();
  await eventually(() => expect(served()).toBe(2 * CALLS), { timeoutMs: 40_000 });
  expect(most).toBe(100);
  ended.resolve();
  const waited = (): number => tested.finished.filter((call) => call.method.endsWith("/WaitRun")).length;
  // What is not read holds up the rest of these, too.
  await eventually(() => expect(waited()).toBeGreaterThan(0));
  expect(waited()).toBeLessThanOrEqual(130);
  waiters.read();
  await eventually(() => expect(waited()).toBe(CALLS), { timeoutMs: 40_000 });
  readers.close();
  waiters.close();
});

// Cause: each stream of a connection could have a large write under way, a thousand of them some gigabytes.
test("gRPC: a connection has at most 64 MiB of requests under way, and what is more is refused with the reason", {
  timeout: 60_000,
}, async () => {
  await tested.api.close(50);
  const sizes = { maxMessageBytes: 4_194_304, maxInlinePayloadBytes: 1_000_000, maxPayloadBytes: 1_000_000 };
  tested = await startApi({ ...sizes, slowReaderMs: 20_000 });
  const { startRun } = tested.engine;
  let starting = 0;
  const gate = Promise.withResolvers<void>();
  tested.engine.startRun = async (...call) => {
    starting += 1;
    await gate.promise;
    return startRun(...call);
  };
  const { method } = RunService;
  const text = new TextEncoder().encode(JSON.stringify({ text: "x".repeat(900_000) }));
  const inputValue = { case: "inputJson" as const, value: text };
  const bytes = toBinary(method.startRun.input, create(method.startRun.input, { flowId: "done", inputValue }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  const body = Buffer.concat([head, bytes]);
  const session = connectHttp2(tested.url, { maxSessionMemory: 1_000 });
  const ends: string[] = [];
  const call = () => {
    const headers = { ":method": "POST", ":path": GET_RUN.replace("GetRun", "StartRun"), te: "trailers" };
    const stream = session.request({ ...headers, "content-type": "application/grpc" });
    const note = (seen: object): void => {
      const { "grpc-status": status, "grpc-message": message } = seen as Record<string, string>;
      if (status !== undefined) ends.push(`${status} ${decodeURIComponent(message ?? "")}`);
    };
    stream
      .on("error", () => undefined)
      .on("response", note)
      .on("trailers", note)
      .resume();
    stream.end(body);
  };
  for (let index = 0; index < 80; index += 1) call();
  await eventually(() => expect(starting + ends.length).toBe(80), { timeoutMs: 40_000 });
  // Some of those that were refused would have had room later: their bytes came side by side.
  expect(starting).toBeGreaterThan(40);
  expect(starting).toBeLessThanOrEqual(74);
  const admitted = starting;
  expect(new Set(ends)).toEqual(
    new Set([
      "8 the service is at its limit (67108864 bytes of requests under way on one connection); send the call again later",
    ]),
  );
  // Another connection is served meanwhile, and this one once there is room.
  expect((await fetch(`${tested.url}/v1/flows`)).status).toBe(200);
  ends.length = 0;
  gate.resolve();
  await eventually(() => expect(ends).toHaveLength(admitted), { timeoutMs: 40_000 });
  call();
  await eventually(() => expect(starting).toBe(admitted + 1));
  session.destroy();
});
