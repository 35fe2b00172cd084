/**
 * The client that the command line and other instances call with: what it makes of a service that is away, gone, or not
 * ours.
 */
import { createServer, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcChannel } from "../../src/api/client/grpc-channel.ts";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { startApi } from "./support/start-api.ts";

const { getRun, startRun, waitRun, watchRun } = RunService.method;

async function start() {
  const tested = await startApi();
  onTestFinished(() => tested.api.close(50));
  const client = openGrpcClient({ address: tested.address });
  onTestFinished(() => client.close());
  return { ...tested, client };
}

const drain = async (frames: AsyncIterable<unknown>): Promise<void> => {
  for await (const _frame of frames);
};

/** A channel to an address, as instances use it. */
function openChannel(address: string) {
  const [host = "", port = ""] = address.split(":");
  const channel = openGrpcChannel({ host, port: Number(port), secure: false, maxMessageBytes: 1_024, useProxy: false });
  onTestFinished(() => channel.close());
  return channel;
}

// Cause: the library puts all channels of a process on one connection, and a call beyond the server's 1,000 streams
// waited for one of them to end: StartRun beside a thousand workers took 30 s.
test("each client of a process has a connection of its own", async () => {
  const { address } = await start();
  const [host = "", port = ""] = address.split(":");
  let connections = 0;
  const proxy = createTcpServer((socket) => {
    connections++;
    const onward = connect(Number(port), host);
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on("error", () => socket.destroy());
  });
  onTestFinished(() => void proxy.close());
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port: proxied } = proxy.address() as AddressInfo;
  for (const _ of [1, 2, 3]) {
    const client = openGrpcClient({ address: `127.0.0.1:${proxied}` });
    onTestFinished(() => client.close());
    await client.call(startRun, { flowId: "open" });
  }
  expect(connections).toBe(3);
});

// Cause: the library throws "Channel has been shut down", at once or out of a timer of its own, and no caller knew that
// error.
test("a call of a closed client is refused with CLIENT_CLOSED, by a promise", async () => {
  const { client, address } = await start();
  await client.call(startRun, { flowId: "open", runId: "r" });
  await client.close();
  const closed = { code: "CLIENT_CLOSED" };
  const called = client.call(getRun, { runId: "r" });
  await expect(called).rejects.toMatchObject(closed);
  await expect(drain(client.stream(watchRun, { runId: "r" }))).rejects.toMatchObject(closed);
  const channel = openChannel(address);
  channel.close();
  await expect(channel.connect(1_000)).rejects.toMatchObject(closed);
  await client.close();
});

test("a client that is closed while it connects ends its calls, and sends none of them again", async () => {
  const client = openGrpcClient({ address: "127.0.0.1:1" });
  const calls = [client.call(getRun, { runId: "r" }), drain(client.stream(watchRun, { runId: "r" }))];
  await client.close();
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
});

test("a call that is given up ends as such, before it is sent, under way, or in the pause before it is sent again", async () => {
  const { client } = await start();
  await client.call(startRun, { flowId: "open", runId: "r" });
  const given = { code: "REQUEST_CANCELLED" };
  await expect(client.call(getRun, { runId: "r" }, { signal: AbortSignal.abort() })).rejects.toMatchObject(given);
  const waiting = new AbortController();
  const wait = client.call(waitRun, { runId: "r", wait: { seconds: 20n } }, { signal: waiting.signal });
  setTimeout(() => waiting.abort(), 50);
  await expect(wait).rejects.toMatchObject(given);
  const away = openGrpcClient({ address: "127.0.0.1:1" });
  onTestFinished(() => away.close());
  const pausing = AbortSignal.timeout(50);
  await expect(away.call(getRun, { runId: "r" }, { signal: pausing })).rejects.toMatchObject(given);
});

// Cause: details that are no status threw in a callback of the library, and ended the process.
test("an answer whose details are no status fails its call by the code of the answer", async () => {
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream) => {
    const head = { ":status": 200, "content-type": "application/grpc" };
    const details = Buffer.from("no status").toString("base64");
    const end = { "grpc-status": "9", "grpc-message": "not now", "grpc-status-details-bin": details };
    stream.respond({ ...head, ...end }, { endStream: true });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const client = openGrpcClient({ address: `127.0.0.1:${(server.address() as AddressInfo).port}` });
  onTestFinished(() => client.close());
  await expect(client.call(getRun, { runId: "r" })).rejects.toMatchObject({
    code: "CALL_REFUSED",
    details: { status: "FAILED_PRECONDITION", message: "not now" },
  });
});
