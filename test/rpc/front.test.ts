import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFront } from "../../src/api/http/front.ts";
import { isOrchestratorError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openGrpc } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** An empty SETTINGS frame. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

let tested: TestApi;

beforeEach(async () => {
  tested = await startApi();
});

afterEach(() => tested.api.close(50));

/** A raw connection that gathers what comes. */
function open(): { socket: Socket; received: () => string; closed: () => boolean } {
  const socket = connect(Number(tested.address.split(":")[1]), "127.0.0.1");
  socket.setNoDelay(true);
  let text = "";
  let isClosed = false;
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    isClosed = true;
  });
  return { socket, received: () => text, closed: () => isClosed };
}

/** Sends a text byte by byte, so that the other side sees every prefix. */
async function dribble(socket: Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("an HTTP/2 preface that comes byte by byte is HTTP/2", async () => {
  const { socket, received } = open();
  await dribble(socket, Buffer.concat([PREFACE, SETTINGS]));
  // The server's own SETTINGS frame: type 4 after three bytes of length.
  await eventually(() => expect(received().charCodeAt(3)).toBe(4));
  socket.destroy();
});

test("an HTTP/1.1 request that comes byte by byte is HTTP/1.1, also when it begins like the preface", async () => {
  for (const verb of ["GET", "POST", "PUT", "PRI"]) {
    const { socket, received } = open();
    await dribble(
      socket,
      Buffer.from(`${verb} /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`),
    );
    await eventually(() => expect(received()).toMatch(/^HTTP\/1\.1 (200|404|400|405)/));
    socket.destroy();
  }
});

test("requests that are pipelined on one connection are all answered", async () => {
  const { socket, received } = open();
  const one = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
  socket.write(one + one + one);
  await eventually(() => expect(received().match(/HTTP\/1\.1 200/g)).toHaveLength(3));
  socket.destroy();
});

test("bytes of no protocol are answered with 400 and closed", async () => {
  const { socket, received, closed } = open();
  socket.write("\u0016\u0003\u0001 this is a TLS hello, more or less\r\n\r\n");
  await eventually(() => expect(closed()).toBe(true));
  expect(received()).toContain("400");
});

test("a connection that leaves before it spoke disturbs nobody", async () => {
  for (let index = 0; index < 50; index += 1) {
    const { socket } = open();
    socket.on("connect", () => (index % 2 === 0 ? socket.resetAndDestroy() : socket.end("PR")));
  }
  const client = openGrpc(tested.address);
  const answer = await client.ask(RunService.method.startRun, { flowId: "f" });
  expect(answer.ok).toBe(true);
  client.close();
});

test("a connection that says nothing, or not enough, is closed in time", async () => {
  const seen: string[] = [];
  const front = createFront({ http1: () => seen.push("http1"), http2: () => seen.push("http2") }, silentLog, 100);
  const { port } = await front.listen("127.0.0.1", 0);
  const sockets = ["", "PRI * HTTP"].map((text) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    if (text !== "") socket.write(text);
    return new Promise((resolve) => socket.on("close", resolve));
  });
  await Promise.all(sockets);
  expect(seen).toEqual([]);
  await eventually(() => expect(front.openCount).toBe(0));
  front.close();
});

test("a port that is in use is PORT_IN_USE with the setting to change", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const front = createFront({ http1() {}, http2() {} }, silentLog);
  const error = await front.listen("127.0.0.1", port).catch((thrown: unknown) => thrown);
  expect(isOrchestratorError(error) && error.code).toBe("PORT_IN_USE");
  expect(String(error)).toContain("ORCHESTRATOR_PORT");
  const wrong = await createFront({ http1() {}, http2() {} }, silentLog)
    .listen("203.0.113.7", 0)
    .catch((thrown: unknown) => thrown);
  expect(isOrchestratorError(wrong) && wrong.code).toBe("CONFIG_INVALID");
  other.close();
});

describe("draining", () => {
  test("a call in flight ends with its answer, new connections are refused", async () => {
    const client = openGrpc(tested.address);
    const started = await client.ask(RunService.method.startRun, { flowId: "open", runId: "slow" });
    expect(started.ok).toBe(true);
    const waiting = client.ask(RunService.method.waitRun, { runId: "slow", wait: { seconds: 20n } });
    const overHttp = fetch(`${tested.url}/v1/runs/slow:wait?wait=20s`);
    await eventually(() => expect(tested.engine.signals.length).toBe(2));
    const closing = tested.api.close(10_000);
    await eventually(() => expect(fetch(`${tested.url}/healthz`)).rejects.toThrow());
    tested.engine.push("slow", { type: "run.completed", at: 1_700_000_200_000, output: null });
    expect((await waiting).ok).toBe(true);
    expect((await overHttp).status).toBe(200);
    await closing;
    client.close();
  });

  test("a call that does not end is broken off when the time is up", async () => {
    const client = openGrpc(tested.address);
    await client.ask(RunService.method.startRun, { flowId: "open", runId: "slow" });
    tested.engine.hang = true;
    const waiting = client.ask(RunService.method.waitRun, { runId: "slow", wait: { seconds: 20n } });
    await eventually(() => expect(tested.engine.signals.length).toBe(1));
    const before = performance.now();
    await tested.api.close(300);
    expect(performance.now() - before).toBeLessThan(5_000);
    expect((await waiting).ok).toBe(false);
    client.close();
  });

  test("a client that has vanished does not hold the stop for longer than the grace", async () => {
    const { socket } = open();
    socket.write(Buffer.concat([PREFACE, SETTINGS]));
    await eventually(() => expect(socket.bytesRead).toBeGreaterThan(0));
    socket.pause();
    const before = performance.now();
    await tested.api.close(300);
    expect(performance.now() - before).toBeLessThan(5_000);
    socket.destroy();
  });

  test("probes say so before the port closes, and closing twice is closing once", async () => {
    expect((await fetch(`${tested.url}/readyz`)).status).toBe(200);
    tested.health.setServing(false);
    expect((await fetch(`${tested.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${tested.url}/healthz`)).status).toBe(200);
    tested.health.setDependency("database", false);
    expect(await (await fetch(`${tested.url}/readyz`)).json()).toEqual({ status: "not ready", missing: ["database"] });
    await Promise.all([tested.api.close(100), tested.api.close(100)]);
  });
});

test("a reader who does not read stops the stream, and gets all of it when he reads on", async () => {
  const client = openGrpc(tested.address);
  await client.ask(RunService.method.startRun, { flowId: "open", runId: "w" });
  client.close();
  // By hand: the client of grpc-js gathers whatever comes.
  const session = connectHttp2(tested.url);
  const { input } = RunService.method.watchRun;
  const request = toBinary(input, create(input, { runId: "w" }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(request.length, 1);
  const stream = session.request({
    ":method": "POST",
    ":path": "/orchestrator.v1.RunService/WatchRun",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.pause();
  stream.end(Buffer.concat([head, request]));
  await eventually(() => expect(tested.engine.signals.length).toBe(1));
  const at = 1_700_000_100_000;
  for (let id = 1; id <= 5_000; id += 1)
    tested.engine.push("w", { type: "signal.received", at, id, name: "s".repeat(100), payload: null });
  let last = -1;
  await eventually(
    () => {
      const still = tested.engine.pulled === last && last > 1;
      last = tested.engine.pulled;
      expect(still).toBe(true);
    },
    { intervalMs: 200 },
  );
  expect(last).toBeLessThan(2_500);
  stream.resume();
  await eventually(() => expect(tested.engine.pulled).toBe(5_000));
  session.destroy();
});
