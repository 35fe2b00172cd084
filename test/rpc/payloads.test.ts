/** Payload references: an answer refers, ReadPayload and the REST route read. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import type { PayloadRef } from "../../src/gen/orchestrator/v1/payload_pb.ts";
import { PayloadService } from "../../src/gen/orchestrator/v1/payload_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { startOf } from "../support/start-of.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const INPUT = { text: "é".repeat(400_000) };
const BYTES = Buffer.from(JSON.stringify(INPUT));

let tested: TestApi;

beforeEach(async () => {
  tested = await startApi();
  await tested.engine.startRun({ tenantId: "default", actor: "" }, startOf("done", { runId: "big", input: INPUT }), 0);
  await tested.engine.startRun(
    { tenantId: "other", actor: "" },
    startOf("done", { runId: "foreign", input: INPUT }),
    0,
  );
});

afterEach(() => tested.api.close(50));

function open() {
  const client = openGrpcClient({ address: tested.address });
  onTestFinished(() => client.close());
  return client;
}

async function refOf(runId: string, paths: string[] | null): Promise<PayloadRef> {
  const readMask = paths === null ? {} : { readMask: { paths } };
  const { run } = await open().call(RunService.method.getRun, { runId, ...readMask });
  if (run?.outputValue.case !== "outputRef") throw new Error(`answered as ${run?.outputValue.case}`);
  return run.outputValue.value;
}

async function read(payloadId: string, range: { offset?: number; limit?: number } = {}) {
  const chunks: Uint8Array[] = [];
  let ref: PayloadRef | undefined;
  for await (const { frame } of open().stream(PayloadService.method.readPayload, { payloadId, ...range })) {
    if (frame.case === "ref") ref = frame.value;
    if (frame.case === "chunk") chunks.push(frame.value);
  }
  return { ref, chunks, bytes: Buffer.concat(chunks) };
}

test("a large output is answered as a reference, which reads as a whole, in chunks and in part", async () => {
  const ref = await refOf("big", null);
  expect(ref).toMatchObject({
    sizeBytes: BigInt(BYTES.length),
    sha256: createHash("sha256").update(BYTES).digest("hex"),
    contentType: "application/json",
  });
  expect(ref.payloadId).toMatch(/^[A-Za-z0-9_-]+$/);
  const whole = await read(ref.payloadId);
  expect(whole.ref).toEqual(ref);
  expect(whole.chunks.length).toBeGreaterThan(2);
  expect(whole.bytes.equals(BYTES)).toBe(true);
  expect((await read(ref.payloadId, { offset: 10, limit: 300_000 })).bytes.equals(BYTES.subarray(10, 300_010))).toBe(
    true,
  );
  expect((await read(ref.payloadId, { offset: BYTES.length })).bytes).toHaveLength(0);
});

test("a read mask of the reference answers it for a payload of any size", async () => {
  await tested.engine.startRun({ tenantId: "default", actor: "" }, startOf("done", { runId: "s", input: { a: 1 } }), 0);
  expect((await read((await refOf("s", ["output_ref"])).payloadId)).bytes.toString()).toBe('{"a":1}');
});

test("REST answers the bytes with their hash, and not again to who has them", async () => {
  const ref = await refOf("big", null);
  const url = `${tested.url}/v1/payloads/${ref.payloadId}`;
  const response = await fetch(url);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "application/json",
    etag: `"${ref.sha256}"`,
    "x-content-type-options": "nosniff",
    "content-disposition": expect.stringContaining("attachment"),
  });
  expect(Buffer.from(await response.arrayBuffer()).equals(BYTES)).toBe(true);
  const again = await fetch(url, { headers: { "if-none-match": `"${ref.sha256}"` } });
  expect(again.status).toBe(304);
  expect(Buffer.from(await (await fetch(`${url}?offset=2&limit=4`)).arrayBuffer()).toString()).toBe("text");
});

test("what is no payload of the caller does not exist", async () => {
  const foreign = Buffer.from("foreign/output").toString("base64url");
  for (const [payloadId, code] of [
    [foreign, "RUN_NOT_FOUND"],
    [Buffer.from("big/tasks/none/output").toString("base64url"), "PAYLOAD_NOT_FOUND"],
    ["nonsense", "PAYLOAD_NOT_FOUND"],
  ] as const) {
    await expect(read(payloadId)).rejects.toMatchObject({ code });
    const response = await fetch(`${tested.url}/v1/payloads/${payloadId}`);
    expect(response.status).toBe(404);
    expect(await response.text()).toContain(code);
  }
});

test("a request takes the payload of another run by its reference, for input, signals and starts of a batch", async () => {
  const client = open();
  const value = { text: "é".repeat(1_000) };
  const { engine } = tested;
  await engine.startRun({ tenantId: "default", actor: "" }, startOf("done", { runId: "small", input: value }), 0);
  const ref = await refOf("small", ["output_ref"]);
  const { startRun, batchStartRuns, signalRun } = RunService.method;
  const input = (value: Partial<PayloadRef>) => ({ case: "inputRef" as const, value: { ...ref, ...value } });
  const before = engine.states.size;
  await client.call(startRun, { flowId: "open", runId: "taken", inputValue: input({}) });
  expect(engine.states.get("taken")?.vars).toEqual(value);
  // The id is enough.
  await client.call(startRun, { flowId: "open", runId: "bare", inputValue: input({ sha256: "", sizeBytes: 0n }) });
  expect(engine.states.get("bare")?.vars).toEqual(value);
  const { results } = await client.call(batchStartRuns, {
    requests: [
      { flowId: "open", runId: "batch", inputValue: input({}) },
      { flowId: "open", inputValue: input({ payloadId: "bm9uZS9pbnB1dA" }) },
    ],
  });
  expect(results.map(({ result }) => (result.case === "error" ? result.value.code : result.case))).toEqual(["run", 5]);
  expect(engine.states.size).toBe(before + 3);
  const signal = (value: Partial<PayloadRef>) =>
    client.call(signalRun, {
      runId: "taken",
      signalName: "s",
      dataValue: { case: "dataRef" as const, value: { ...ref, ...value } },
    });
  await signal({});
  const refused = {
    "another hash": signal({ sha256: "0".repeat(64) }),
    "no such part": signal({ payloadId: Buffer.from("small/tasks/none/output").toString("base64url") }),
    "no place": signal({ payloadId: "!" }),
    "of another tenant": signal({ payloadId: Buffer.from("foreign/output").toString("base64url") }),
  };
  for (const [what, call] of Object.entries(refused))
    await expect(call, what).rejects.toMatchObject({ code: "PAYLOAD_NOT_FOUND" });
  // What it may take is bounded as if it had come along.
  const large = client.call(startRun, { flowId: "open", inputValue: input(await refOf("big", null)) });
  await expect(large).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
});
