/** What waits for readers of watches is seen from outside: events that are held back, and bytes that are not taken. */
import { type ClientHttp2Stream, connect } from "node:http2";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import {
  RunService,
  WatchRunRequestSchema,
  WatchRunsRequestSchema,
} from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { openWorkerBed, type WorkerBed } from "../support/worker-service.ts";

/** Opens a stream whose reader takes nothing yet, over a connection with next to no room on the way. */
function openUnread<S extends DescMessage>(address: string, method: string, schema: S, request: MessageInitShape<S>) {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: 1_024 } });
  onTestFinished(() => session.destroy());
  const headers = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...headers, ":path": `/orchestrator.v1.RunService/${method}` });
  stream.on("error", () => undefined);
  stream.pause();
  const bytes = toBinary(schema, create(schema, request));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  stream.end(Buffer.concat([head, bytes]));
  return stream;
}

interface Buffers {
  readonly streams: number;
  readonly events: number;
  readonly bytes: number;
}

async function readBuffers(bed: WorkerBed): Promise<Buffers> {
  const text = await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text();
  const read = (name: string): number => Number(new RegExp(`^orchestrator_watch_${name} (\\d+)$`, "m").exec(text)?.[1]);
  return { streams: read("streams"), events: read("buffered_events"), bytes: read("buffer_bytes") };
}

/** The buffers fill while nobody reads, empty when somebody does, and are gone with the stream. */
async function fillsAndEmpties(bed: WorkerBed, stream: ClientHttp2Stream, fill: () => Promise<void>): Promise<void> {
  await eventually(async () => expect((await readBuffers(bed)).streams).toBe(1));
  await fill();
  await eventually(async () => {
    const { events, bytes } = await readBuffers(bed);
    expect(events).toBeGreaterThan(10);
    expect(bytes).toBeGreaterThan(1_000);
  });
  stream.resume();
  await eventually(async () => expect(await readBuffers(bed)).toEqual({ streams: 1, events: 0, bytes: 0 }));
  stream.close();
  await eventually(async () => expect(await readBuffers(bed)).toEqual({ streams: 0, events: 0, bytes: 0 }));
}

const WAITS = "  tasks: [{id: w, type: signal, parameters: {name: never}}]\n";

test("a reader who takes nothing leaves changes of runs in the watch, and bytes in its stream", async () => {
  const bed = await openWorkerBed();
  await bed.register("waits", WAITS);
  const stream = openUnread(bed.address, "WatchRuns", WatchRunsRequestSchema, {});
  await fillsAndEmpties(bed, stream, async () => {
    const requests = Array.from({ length: 400 }, () => ({ flowId: "waits", labels: { filler: "x".repeat(60) } }));
    await bed.client.call(RunService.method.batchStartRuns, { requests });
  });
});

/** A thousand events at a word, and a run that goes on. */
const BURSTS = `  tasks:
    - {id: stays, type: signal, parameters: {name: never}}
    - {id: go, type: signal, parameters: {name: go}}
    - id: each
      type: map
      depends_on: [go]
      parameters: {items: "\${vars.items}", task: {type: transform, parameters: {output: "\${item}"}}}
`;

test("the same for events of a run", async () => {
  const bed = await openWorkerBed();
  await bed.register("bursts", BURSTS, "variables: [{name: items, type: array}]\n");
  const runId = await bed.start("bursts", { items: Array.from({ length: 1_000 }, (_, n) => n) });
  const stream = openUnread(bed.address, "WatchRun", WatchRunRequestSchema, { runId });
  await fillsAndEmpties(bed, stream, async () => {
    await bed.client.call(RunService.method.signalRun, { runId, signalName: "go" });
  });
});
