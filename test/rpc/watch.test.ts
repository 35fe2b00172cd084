import type { MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { toError } from "../../src/base/errors.ts";
import { eventName } from "../../src/cli/terminal/print.ts";
import {
  RunService,
  WatchRunRequestSchema,
  type WatchRunResponse,
  WatchRunResponseSchema,
} from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { startOf } from "../support/start-of.ts";
import { grpcFailure } from "./support/clients.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const CALLER = { tenantId: "default", actor: "" };
const START = startOf("open", { runId: "w" });

let tested: TestApi;

beforeEach(async () => {
  tested = await startApi();
  await tested.engine.startRun(CALLER, START, 0);
});

afterEach(() => tested.api.close(50));

type Frames = AsyncIterable<WatchRunResponse>;
type Watch = (init: { runId: string; cursor?: string }) => Frames;

function overGrpc(): Watch {
  return async function* (init) {
    const client = new Client(tested.address, credentials.createInsecure());
    const call = client.makeServerStreamRequest(
      "/orchestrator.v1.RunService/WatchRun",
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from(toBinary(WatchRunRequestSchema, create(WatchRunRequestSchema, init))),
    );
    try {
      for await (const bytes of call) yield fromBinary(WatchRunResponseSchema, bytes as Buffer);
    } finally {
      call.cancel();
      client.close();
    }
  };
}

/** These clients keep the stream when the iteration is left; a signal ends it. */
function overTransport(transport: Transport): Watch {
  const client = createClient(RunService, transport);
  return async function* (init) {
    const stop = new AbortController();
    try {
      yield* client.watchRun(init, { signal: stop.signal });
    } finally {
      stop.abort();
    }
  };
}

const WATCHES: readonly (readonly [string, () => Watch])[] = [
  ["grpc", overGrpc],
  ["connect", () => overTransport(createConnectTransport({ baseUrl: tested.url, httpVersion: "1.1" }))],
  ["grpc-web", () => overTransport(createGrpcWebTransport({ baseUrl: tested.url, httpVersion: "1.1" }))],
];

function kindOf(frame: MessageShape<typeof WatchRunResponseSchema>): string {
  const { frame: one } = frame;
  return one.case === "event" ? `${one.case} ${eventName(one.value.kind)} ${one.value.sequence}` : String(one.case);
}

/** Reads frames until `count` that are no heartbeats have come, or the stream ends. */
async function read(frames: Frames, count: number): Promise<WatchRunResponse[]> {
  const seen: WatchRunResponse[] = [];
  for await (const frame of frames) {
    if (frame.frame.case === "heartbeat") continue;
    seen.push(frame);
    if (seen.length === count) break;
  }
  return seen;
}

const signal = (id: number) =>
  ({ type: "signal.received", at: 1_700_000_100_000, id, name: "s", payload: null }) as const;

describe.each(WATCHES)("%s", (_name, open) => {
  test("a watch is a snapshot, every event in order, and the end", async () => {
    const reading = read(open()({ runId: "w" }), 10);
    await eventually(() => expect(tested.engine.signals.length).toBe(1));
    tested.engine.push("w", signal(1));
    tested.engine.push("w", signal(2));
    tested.engine.push("w", { type: "run.completed", at: 1_700_000_200_000, output: { a: 1 } });
    const frames = await reading;
    expect(frames.map(kindOf)).toEqual([
      "snapshot",
      "event signal.received 2",
      "event signal.received 3",
      "event run.completed 4",
      "end",
    ]);
    const end = frames.at(-1)?.frame;
    expect(end?.case === "end" && end.value.run?.outputValue.case).toBe("output");
  });

  test("every event can be resumed after, and nothing is missed or comes twice", async () => {
    for (let id = 1; id <= 4; id += 1) tested.engine.push("w", signal(id));
    const cursors = new Map<number, string>();
    const first = await read(open()({ runId: "w", cursor: "" }), 1);
    const snapshot = first[0]?.frame;
    if (snapshot?.case !== "snapshot") throw new Error("no snapshot");
    expect(snapshot.value.cursor).not.toBe("");
    tested.engine.push("w", signal(5));
    tested.engine.push("w", signal(6));
    const after = await read(open()({ runId: "w", cursor: snapshot.value.cursor }), 2);
    expect(after.map(kindOf)).toEqual(["event signal.received 6", "event signal.received 7"]);
    for (const { frame } of after) if (frame.case === "event") cursors.set(frame.value.sequence, frame.value.cursor);
    expect((await read(open()({ runId: "w", cursor: cursors.get(6) ?? "" }), 1)).map(kindOf)).toEqual([
      "event signal.received 7",
    ]);
  });

  test("a reader who was cut off before the end gets it, one who saw it waits", async () => {
    tested.engine.push("w", { type: "run.completed", at: 1_700_000_200_000, output: null });
    const frames = await read(open()({ runId: "w" }), 5);
    expect(frames.map(kindOf)).toEqual(["snapshot", "end"]);
    const snapshot = frames[0]?.frame;
    const end = frames[1]?.frame;
    if (snapshot?.case !== "snapshot" || end?.case !== "end") throw new Error("frames are missing");
    expect((await read(open()({ runId: "w", cursor: snapshot.value.cursor }), 1)).map(kindOf)).toEqual(["end"]);
    expect(end.value.cursor).not.toBe(snapshot.value.cursor);
  });

  test("silence is filled with heartbeats that carry the place", async () => {
    const beats: string[] = [];
    for await (const { frame } of open()({ runId: "w" })) {
      if (frame.case === "heartbeat") beats.push(frame.value.cursor);
      if (beats.length === 2) break;
    }
    expect(beats[0]).not.toBe("");
    tested.engine.push("w", signal(1));
    expect((await read(open()({ runId: "w", cursor: beats[0] ?? "" }), 1)).map(kindOf)).toEqual([
      "event signal.received 2",
    ]);
  });

  test("a reader who leaves ends the watch of the engine", async () => {
    await read(open()({ runId: "w" }), 1);
    await eventually(() => expect(tested.engine.signals.map((one) => one.aborted)).toEqual([true]));
  });
});

/** The error that a gRPC watch ends with. */
async function failureOf(frames: Frames) {
  try {
    for await (const _ of frames);
  } catch (error) {
    const answer = grpcFailure(error as ServiceError);
    if (!answer.ok) return answer;
  }
  throw new Error("an error was expected");
}

test("a foreign, broken or future cursor is refused", async () => {
  await tested.engine.startRun(CALLER, { ...START, runId: "other" }, 0);
  const [frame] = await read(overGrpc()({ runId: "other" }), 1);
  if (frame?.frame.case !== "snapshot") throw new Error("no snapshot");
  const foreign = frame.frame.value.cursor;
  expect((await failureOf(overGrpc()({ runId: "w", cursor: foreign }))).reason).toBe("WATCH_CURSOR_INVALID");
  expect((await failureOf(overGrpc()({ runId: "w", cursor: "12" }))).reason).toBe("WATCH_CURSOR_INVALID");
  const [own] = await read(overGrpc()({ runId: "w" }), 1);
  if (own?.frame.case !== "snapshot") throw new Error("no snapshot");
  const future = own.frame.value.cursor.replace(/^s\w+\./, "s99.");
  expect((await failureOf(overGrpc()({ runId: "w", cursor: future }))).reason).toBe("WATCH_CURSOR_INVALID");
  expect((await failureOf(overGrpc()({ runId: "nope" }))).reason).toBe("RUN_NOT_FOUND");
});

test("a reader who is too slow is cut with the cursor to go on from", async () => {
  tested.engine.push("w", signal(1));
  const reading = failureOf(overGrpc()({ runId: "w" }));
  await eventually(() => expect(tested.engine.signals.length).toBe(1));
  tested.engine.cut(toError("WATCH_TOO_SLOW", { cursor: 2 }));
  const failure = await reading;
  expect(failure.reason).toBe("WATCH_TOO_SLOW");
  tested.engine.push("w", signal(2));
  const resumed = await read(overGrpc()({ runId: "w", cursor: failure.metadata.cursor ?? "" }), 1);
  expect(resumed.map(kindOf)).toEqual(["event signal.received 3"]);
});

test("a stop ends watches with SHUTTING_DOWN and a cursor that holds on the next instance", async () => {
  const reading = failureOf(overGrpc()({ runId: "w" }));
  await eventually(() => expect(tested.engine.signals.length).toBe(1));
  const closing = tested.api.close(5_000);
  const failure = await reading;
  await closing;
  expect(failure).toMatchObject({ code: 14, reason: "SHUTTING_DOWN" });
  const next = await startApi();
  await next.engine.startRun(CALLER, START, 0);
  next.engine.push("w", signal(1));
  tested = next;
  const resumed = await read(overGrpc()({ runId: "w", cursor: failure.metadata.cursor ?? "" }), 1);
  expect(resumed.map(kindOf)).toEqual(["event signal.received 2"]);
});

describe("text/event-stream", () => {
  /** Reads blocks of an event stream until `done`. */
  async function events(
    path: string,
    headers: Record<string, string>,
    done: (text: string) => boolean,
  ): Promise<string> {
    const stop = new AbortController();
    const response = await fetch(tested.url + path, { headers, signal: stop.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString("utf8");
      if (done(text)) break;
    }
    stop.abort();
    return text;
  }

  test("events carry their cursor as id, and Last-Event-ID resumes", async () => {
    tested.engine.push("w", signal(1));
    const text = await events("/v1/runs/w:watch", {}, (so) => so.includes(": heartbeat"));
    expect(text).toMatch(/^id: (\S+)\nevent: snapshot\ndata: \{.*\}\n\n/);
    const id = /id: (\S+)/.exec(text)?.[1] ?? "";
    tested.engine.push("w", signal(2));
    const resumed = await events("/v1/runs/w:watch", { "last-event-id": id }, (so) => so.includes("event: event"));
    expect(resumed).toContain('"sequence":3');
    expect(resumed).not.toContain("snapshot");
  });

  test("a stream that cannot begin is an ordinary error", async () => {
    const response = await fetch(`${tested.url}/v1/runs/nope:watch`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 5 });
  });

  test("an error in the middle is the last event", async () => {
    const reading = events("/v1/runs/w:watch", {}, (so) => so.includes("event: error"));
    await eventually(() => expect(tested.engine.signals.length).toBe(1));
    tested.engine.cut(toError("STORE_UNAVAILABLE", { problem: "away" }));
    expect(await reading).toMatch(/event: error\ndata: \{"code":14,.*STORE_UNAVAILABLE/);
  });

  test("the end of a run ends the stream", async () => {
    tested.engine.push("w", { type: "run.completed", at: 1_700_000_200_000, output: null });
    const response = await fetch(`${tested.url}/v1/runs/w:watch`);
    expect(await response.text()).toMatch(/event: end\ndata: .*\n\n$/);
  });
});

test("a watch over runs shows a snapshot, changes, and runs that leave the filter", async () => {
  const client = createClient(RunService, createConnectTransport({ baseUrl: tested.url, httpVersion: "1.1" }));
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { frame } of client.watchRuns({ filter: 'state == "RUNNING"' }, { signal: stop.signal })) {
      if (frame.case === "snapshot") seen.push(`snapshot ${frame.value.runs.map((run) => run.runId)}`);
      if (frame.case === "update") seen.push(`${frame.value.run?.runId} ${frame.value.matches}`);
    }
  })().catch(() => undefined);
  await eventually(() => expect(seen).toEqual(["snapshot w"]));
  await tested.engine.startRun(CALLER, { ...START, runId: "x" }, 0);
  await eventually(() => expect(seen.at(-1)).toBe("x true"));
  await tested.engine.startRun(CALLER, { ...START, flowId: "done", runId: "y" }, 0);
  tested.engine.push("w", { type: "run.completed", at: 1_700_000_200_000, output: null });
  await eventually(() => expect(seen).toEqual(["snapshot w", "x true", "w false"]));
  stop.abort();
  await reading;
});
