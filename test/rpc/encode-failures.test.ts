// Responses were encoded outside every `try`: one value that is no text, in one run, ended the process, on whichever
// instance a caller asked for it.
import type { DescMethod } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { ServiceError } from "@grpc/grpc-js";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toError } from "../../src/base/errors.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { grpcFailure, openClients } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

/** No encoder takes it, and nothing between the engine and the encoders looks at it. */
const BAD = Symbol("no text") as unknown as string;

const { getRun, listRuns, listRunEvents, watchRun, watchRuns, startRun } = RunService.method;

let tested: TestApi;

beforeEach(async () => {
  tested = await startApi();
  const [grpc] = openClients(tested.address);
  for (const runId of ["bad", "good"]) await grpc?.ask(startRun, { flowId: "open", runId });
  grpc?.close();
});

afterEach(() => tested.api.close(50));

function spoilRun(runId: string): void {
  const state = tested.engine.states.get(runId);
  if (state !== undefined) state.facts = { ...state.facts, labels: { priority: BAD } };
}

function spoilEvent(runId: string): void {
  tested.engine.push(runId, { type: "signal.received", at: 1_700_000_100_000, id: 1, name: BAD, payload: null });
}

/** Every INTERNAL answer has an id, and a line in the log with that id. */
function expectLogged(errorIds: readonly string[]): void {
  const logged = tested.errors.map((line) => line.fields?.errorId);
  expect(errorIds.every((id) => id !== "" && logged.includes(id))).toBe(true);
}

test.each(["grpc", "grpc-web", "connect json", "connect proto", "rest"])(
  "a unary answer that cannot be encoded costs its call: %s",
  async (name) => {
    const client = openClients(tested.address).find((one) => one.name === name);
    if (client === undefined) throw new Error(`no client for ${name}`);
    spoilRun("bad");
    const errorIds: string[] = [];
    const calls = [[getRun, { runId: "bad" }] as const, [listRuns, {}] as const];
    for (const [method, init] of calls) {
      const answer = await client.ask(method as DescMethod, init);
      expect(answer).toMatchObject({ ok: false, code: 13, reason: "INTERNAL" });
      errorIds.push(answer.ok ? "" : (answer.metadata.errorId ?? ""));
    }
    spoilEvent("good");
    const events = await client.ask(listRunEvents, { runId: "good" });
    expect(events).toMatchObject({ ok: false, code: 13, reason: "INTERNAL" });
    expectLogged(errorIds);
    const good = await client.ask(startRun, { flowId: "open", runId: "other" });
    expect(good.ok).toBe(true);
    client.close();
  },
);

/** Reads a stream to its end: how many messages came, and the reason of the error that ended it. */
type ReadStream = (
  method: DescMethod,
  init: Record<string, unknown>,
) => Promise<{ readonly messages: number; readonly reason: string }>;

const overGrpc: ReadStream = (method, init) =>
  new Promise((resolve) => {
    const client = new Client(tested.address, credentials.createInsecure());
    let messages = 0;
    const stream = client.makeServerStreamRequest(
      `/${method.parent.typeName}/${method.name}`,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => bytes,
      toBinary(method.input, create(method.input, init)),
      new Metadata(),
    );
    stream.on("data", () => (messages += 1));
    stream.on("error", (error: ServiceError) => {
      const answer = grpcFailure(error);
      client.close();
      resolve({ messages, reason: answer.ok ? "" : answer.reason });
    });
  });

const overTransport =
  (protocol: "grpc-web" | "connect json" | "connect proto"): ReadStream =>
  async (method, init) => {
    const options = { baseUrl: tested.url, httpVersion: "1.1" } as const;
    const transport =
      protocol === "grpc-web"
        ? createGrpcWebTransport(options)
        : createConnectTransport({ ...options, useBinaryFormat: protocol === "connect proto" });
    let messages = 0;
    try {
      const request = async function* () {
        yield create(method.input, init);
      };
      const response = await transport.stream(method as never, undefined, undefined, undefined, request() as never);
      for await (const _ of response.message) messages += 1;
      return { messages, reason: "" };
    } catch (thrown) {
      const [info] = ConnectError.from(thrown).details as { readonly type: string; readonly value: Uint8Array }[];
      return { messages, reason: Buffer.from(info?.value ?? []).includes("INTERNAL") ? "INTERNAL" : "none" };
    }
  };

const overText: ReadStream = async (method, init) => {
  const bytes = toBinary(method.input, create(method.input, init));
  const framed = Buffer.alloc(5 + bytes.length);
  framed.writeUInt32BE(bytes.length, 1);
  framed.set(bytes, 5);
  const response = await fetch(`${tested.url}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: { "content-type": "application/grpc-web-text", accept: "application/grpc-web-text" },
    body: framed.toString("base64"),
  });
  const parts = (await response.text()).match(/[A-Za-z0-9+/]+={0,2}/g) ?? [];
  let rest = Buffer.concat(parts.map((part) => Buffer.from(part, "base64")));
  let messages = 0;
  for (; rest.length >= 5 && rest[0] !== 128; messages += 1) rest = rest.subarray(5 + rest.readUInt32BE(1));
  return { messages, reason: /grpc-status: ?13/i.test(rest.toString("latin1")) ? "INTERNAL" : "none" };
};

const overEvents: ReadStream = async (method, init) => {
  const path = method.name === "WatchRun" ? `/v1/runs/${String(init.runId)}:watch` : "/v1/runs:watch";
  const response = await fetch(tested.url + path);
  const text = await response.text();
  const messages = [...text.matchAll(/^event: (?!error)/gm)].length;
  return { messages, reason: /"reason": ?"INTERNAL"/.test(text) ? "INTERNAL" : "none" };
};

test.each([
  ["grpc", overGrpc],
  ["grpc-web", overTransport("grpc-web")],
  ["grpc-web-text", overText],
  ["connect json", overTransport("connect json")],
  ["connect proto", overTransport("connect proto")],
  ["server-sent events", overEvents],
] as const)("a frame of a stream that cannot be encoded ends its stream: %s", async (_name, read) => {
  spoilRun("bad");
  // The first frame, the snapshot of a list, and a frame behind others.
  expect(await read(watchRun, { runId: "bad" })).toEqual({ messages: 0, reason: "INTERNAL" });
  expect((await read(watchRuns, {})).reason).toBe("INTERNAL");
  tested.engine.signals.length = 0;
  const later = read(watchRun, { runId: "good" });
  await eventually(() => expect(tested.engine.signals).toHaveLength(1));
  tested.engine.push("good", { type: "request.applied", at: 1_700_000_100_000, request: "r", requestHash: "" });
  await eventually(() => expect(tested.engine.pulled).toBeGreaterThan(0));
  spoilEvent("good");
  const { messages, reason } = await later;
  expect(messages).toBeGreaterThan(0);
  expect(reason).toBe("INTERNAL");
  expect(tested.errors).toHaveLength(3);
  expect(tested.finished.slice(-3).map((call) => call.code)).toEqual(["INTERNAL", "INTERNAL", "INTERNAL"]);
});

test("a call whose answer the other instance cannot encode costs that call", async () => {
  const here = await startApi();
  here.engine.owner = tested.address;
  spoilRun("bad");
  for (const client of openClients(here.address)) {
    here.engine.failWith(toError("RUN_MOVED", { runId: "bad" }));
    const answer = await client.ask(RunService.method.pauseRun, { runId: "bad" });
    expect(answer).toMatchObject({ ok: false, code: 13, reason: "INTERNAL" });
    here.engine.failWith(toError("RUN_MOVED", { runId: "good" }));
    expect((await client.ask(RunService.method.pauseRun, { runId: "good" })).ok).toBe(true);
    client.close();
  }
  await here.api.close(50);
});
