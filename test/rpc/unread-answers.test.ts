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

function callGrpc(): Caller {
  const session = connectHttp2(tested.url);
  const message = toBinary(input, create(input, { runId: "big" }));
  const body = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  const streams = Array.from({ length: CALLS }, () => {
    const head = { ":method": "POST", ":path": GET_RUN, "content-type": "application/grpc", te: "trailers" };
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
  ["gRPC", callGrpc],
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
