/** WatchRuns over REST and gRPC on a fake engine: cursors, and what a resumed watch does when too much has changed. */
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import type { RunHeader } from "../../src/engine/ports/run-index.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { startOf } from "../support/start-of.ts";
import { startApi, type TestApi } from "./support/start-api.ts";

const CALLER = { tenantId: "default", actor: "" };

let tested: TestApi;

beforeEach(async () => {
  tested = await startApi();
  await tested.engine.startRun(CALLER, startOf("open", { runId: "w" }), 0);
});

afterEach(() => tested.api.close(50));

/** First event of a REST watch: its id, kind and data. */
async function firstEvent(query: string, lastEventId = "") {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const headers: Record<string, string> = lastEventId === "" ? {} : { "last-event-id": lastEventId };
  const response = await fetch(`${tested.url}/v1/runs:watch${query}`, { headers, signal: stop.signal });
  if (response.body === null) throw new Error("no body");
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const id = /^id: (.*)$/m.exec(chunk)?.[1] ?? "";
    const kind = /^event: (.*)$/m.exec(chunk)?.[1] ?? "";
    return { status: response.status, id, kind, text: chunk };
  }
  throw new Error("no event came");
}

test("over REST the id of an event resumes the watch, with updates in place of a snapshot", async () => {
  const first = await firstEvent("");
  expect(first.kind).toBe("snapshot");
  expect(first.text).toContain('"runId":"w"');
  expect(first.id).not.toBe("");
  const again = await firstEvent("", first.id);
  expect(again.kind).toBe("update");
  expect(again.text).toContain('"runId":"w"');
});

test("a cursor of other runs, of another filter or of nothing is refused", async () => {
  const { id } = await firstEvent("");
  for (const query of [`?filter=state%3D%3D%22FAILED%22&cursor=${id}`, "?cursor=nonsense", "?cursor=s1.abc"]) {
    const answer = await firstEvent(query);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain("WATCH_CURSOR_INVALID");
  }
});

test("when too many runs have changed, the cursor has expired", async () => {
  const { id } = await firstEvent("");
  const [header] = await tested.engine.listRuns(CALLER, null, null, 1);
  tested.engine.listChanged = async (_caller, _ageMs, limit) =>
    Array.from({ length: limit }, (_, at): RunHeader => ({ ...(header as RunHeader), runId: `r${at}` }));
  const client = openGrpcClient({ address: tested.address });
  onTestFinished(() => client.close());
  const stream = client.stream(RunService.method.watchRuns, { cursor: id });
  await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "WATCH_CURSOR_EXPIRED",
    grpc: "OUT_OF_RANGE",
  });
});
