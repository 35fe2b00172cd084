/** Streams that have begun and have nothing to say yet: their callers see the headers at once. */
import { connect as connectHttp2 } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTokens } from "../../src/api/lists/tokens.ts";
import { WatchRunRequestSchema, WatchRunsRequestSchema } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { startOf } from "../support/start-of.ts";
import { startApi, type TestApi, TOKEN_KEY } from "./support/start-api.ts";

const CALLER = { tenantId: "default", actor: "" };
const SERVICE = "/orchestrator.v1.RunService";
/** Far below the time between heartbeats of these tests. */
const SOON_MS = 5_000;

let tested: TestApi;
let runCursor: string;
let runsCursor: string;

beforeAll(async () => {
  tested = await startApi({ heartbeatMs: 600_000 });
  const { run } = await tested.engine.startRun(CALLER, startOf("open", { runId: "w" }), 0);
  Object.assign(tested.engine, { listChanged: async () => [] });
  const tokens = createTokens(TOKEN_KEY);
  runCursor = tokens.cursorsOf("default", "w").toCursor(run.state.sequence);
  runsCursor = tokens.runsCursorsOf("default", "flow_id == 'none'").toCursor(Date.now());
});

afterAll(() => tested.api.close(50));

type Open = (cursor: string) => Promise<string>;

function frame(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

async function overHttp(path: string, init: RequestInit): Promise<string> {
  const response = await fetch(tested.url + path, { ...init, signal: AbortSignal.timeout(SOON_MS) });
  const status = String(response.status);
  if (response.status !== 200) await response.text();
  else void response.body?.cancel().catch(() => undefined);
  return status;
}

function overGrpc(path: string, message: Uint8Array): Promise<string> {
  const session = connectHttp2(tested.url);
  return new Promise<string>((resolve, reject) => {
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    const stream = session.request(headers);
    stream.setTimeout(SOON_MS, () => reject(new Error("no headers")));
    stream.on("response", (got) => resolve(String(got["grpc-status"] ?? got[":status"])));
    stream.end(frame(message));
  }).finally(() => session.destroy());
}

const post = (type: string, body: Uint8Array): RequestInit => ({
  method: "POST",
  headers: { "content-type": type },
  body: frame(body),
});

const PROTOCOLS: readonly (readonly [string, Open, Open, refused: string])[] = [
  [
    "rest",
    (cursor) => overHttp(`/v1/runs/w:watch?cursor=${cursor}`, {}),
    (cursor) => overHttp(`/v1/runs:watch?cursor=${cursor}&filter=${encodeURIComponent("flow_id == 'none'")}`, {}),
    "400",
  ],
  [
    "grpc",
    (cursor) => overGrpc(`${SERVICE}/WatchRun`, runRequest(cursor)),
    (cursor) => overGrpc(`${SERVICE}/WatchRuns`, runsRequest(cursor)),
    "3",
  ],
  [
    "connect",
    (cursor) => overHttp(`${SERVICE}/WatchRun`, post("application/connect+proto", runRequest(cursor))),
    (cursor) => overHttp(`${SERVICE}/WatchRuns`, post("application/connect+proto", runsRequest(cursor))),
    // The protocol puts errors of streams into the last frame.
    "200",
  ],
  [
    "grpc-web",
    (cursor) => overHttp(`${SERVICE}/WatchRun`, post("application/grpc-web+proto", runRequest(cursor))),
    (cursor) => overHttp(`${SERVICE}/WatchRuns`, post("application/grpc-web+proto", runsRequest(cursor))),
    "200",
  ],
];

function runRequest(cursor: string): Uint8Array {
  return toBinary(WatchRunRequestSchema, create(WatchRunRequestSchema, { runId: "w", cursor }));
}

function runsRequest(cursor: string): Uint8Array {
  return toBinary(WatchRunsRequestSchema, create(WatchRunsRequestSchema, { filter: "flow_id == 'none'", cursor }));
}

// Cause: the headers waited for the first frame, which was the heartbeat after 15 s.
describe.each(PROTOCOLS)("a resumed watch over %s", (_, watchRun, watchRuns, refused) => {
  test("of a run begins at once", async () => {
    expect(await watchRun(runCursor)).toMatch(/^200$/);
  });

  test("of runs begins at once", async () => {
    expect(await watchRuns(runsCursor)).toMatch(/^200$/);
  });

  test("keeps the status of its refusal", async () => {
    expect(await watchRun("s1.none")).toBe(refused);
    expect(await watchRuns("r1.none")).toBe(refused);
  });
});
