/** What errors say besides type and message: the same over every way in which a task can fail, and bounded. */
import { expect, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { serveTool } from "../support/tool-server.ts";
import { openWorkerBed, type WorkerBed } from "../support/worker-service.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const asJson = (details: unknown) => asText(JSON.stringify(details));
const asText = (text: string) => ({ detailsValue: { case: "detailsJson", value: encode(text) } });

const FLOW = `  tasks:
    - {id: only, type: worker, parameters: {handler: hold}, on_error: continue}
    - {id: told, type: transform, depends_on: [only], parameters: {output: "\${tasks.only.error.details}"}}
  output: "\${told.output}"
`;

/** What the API shows of the error of a task, as JSON. */
async function shownBy({ address }: WorkerBed, runId: string, taskId = "only"): Promise<Record<string, unknown>> {
  const answer = await fetch(`http://${address}/v1/runs/${runId}/tasks/${taskId}`);
  const { task } = (await answer.json()) as { readonly task: { readonly error: Record<string, unknown> } };
  return task.error;
}

test("the details of an error of a worker are for flows and callers, whatever they are", {
  timeout: 60_000,
}, async () => {
  const bed = await openWorkerBed();
  await bed.register("failing", FLOW);
  const worker = await holdTasks(bed.client, ["hold"]);
  const large = { list: "ä".repeat(20_000) };
  const deep = `${"[".repeat(40)}1${"]".repeat(40)}`;
  const cut = (text: string) => ({ truncated: true, size_bytes: Buffer.byteLength(text), text: text.slice(0, 4_096) });
  for (const [said, details] of [
    [{}, null],
    [asJson(null), null],
    [asJson({ code: 7, fields: ["a"] }), { code: 7, fields: ["a"] }],
    [{ detailsValue: { case: "details", value: { kind: { case: "stringValue", value: "more" } } } }, "more"],
    [{ detailsValue: { case: "details", value: { kind: { case: "numberValue", value: Number.NaN } } } }, cut("null")],
    [asText("no JSON"), "no JSON"],
    [asJson("a\0b\ud800"), cut('"a\\u0000b\\ud800"')],
    [asText("9007199254740993"), "9007199254740993"],
    [asJson(large), cut(JSON.stringify(large))],
    [asText(deep), cut(deep)],
  ] as const) {
    const runId = await bed.start("failing");
    const { taskToken } = await worker.next();
    const failed = { type: "NO", message: "no", nonRetryable: true, ...said };
    expect((await worker.report(taskToken, "failed", failed)).outcome).toBe(TaskReportOutcome.ACCEPTED);
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toEqual(details);
    const shown = { type: "NO", message: "no", ...(details === null ? {} : { details }) };
    expect(await shownBy(bed, runId)).toEqual(shown);
    // The same again is the same report.
    expect((await worker.report(taskToken, "failed", failed)).outcome).toBe(TaskReportOutcome.ACCEPTED);
  }
});

test("who fails a task by a call gives details and a delay, and events have them", { timeout: 60_000 }, async () => {
  const bed = await openWorkerBed();
  await bed.register("failing", FLOW.replace("on_error:", "retry_policy: {max_retries: 1}, on_error:"));
  const runId = await bed.start("failing");
  const url = `http://${bed.address}/v1/runs/${runId}/tasks/only:fail`;
  const fail = async (body: object): Promise<void> => {
    const request = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    expect((await fetch(url, request)).status).toBe(200);
  };
  await fail({ errorType: "LOST", errorDetails: { at: [1] }, nextRetryDelay: "0.01s" });
  await eventually(async () =>
    expect((await bed.client.call(RunService.method.getRunTask, { runId, taskId: "only" })).task?.attempt).toBe(2),
  );
  await fail({ errorType: "LOST", errorDetails: "for good", nonRetryable: true });
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toBe("for good");
  const { events } = await bed.client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
  const kinds = events.flatMap(({ detail }) =>
    detail.case === "taskTransition" ? (detail.value.error?.details?.kind.case ?? []) : [],
  );
  expect(kinds).toEqual(["structValue", "stringValue"]);
});

test("the JSON of an http answer and of a callback are details; the URL of the callback is not told", {
  timeout: 60_000,
}, async () => {
  const tool = await serveTool(null, { "content-type": "application/json" });
  const bed = await openWorkerBed({ ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" }, { publicUrl: true });
  await bed.register(
    "called",
    `  tasks:
    - id: only
      type: http
      parameters: {url: "http://${tool.address}/", body: {to: ["\${callback.url}"]}, await_callback: true}
      retry_policy: {max_retries: 3, initial_delay: 0}
`,
  );
  const runId = await bed.start("called");
  const first = await tool.next();
  const urlOf = ({ body }: typeof first) => (body as { readonly to: readonly string[] }).to[0] ?? "";
  first.answer(503, JSON.stringify({ reason: "full", called: urlOf(first) }));
  const second = await tool.next();
  expect(await shownBy(bed, runId)).toMatchObject({
    type: "SERVICE_UNAVAILABLE",
    details: { reason: "full", called: "${callback.url}" },
  });
  second.answer(202);
  const headers = { "content-type": "application/json" };
  const post = (url: string, error: object) => fetch(url, { method: "POST", headers, body: JSON.stringify({ error }) });
  const later = { type: "LATER", next_retry_delay: 0.01, details: { queue: 12 } };
  expect((await post(urlOf(second), { ...later, next_retry_delay: "soon" })).status).toBe(400);
  expect((await post(urlOf(second), later)).status).toBe(200);
  const third = await tool.next();
  expect(await shownBy(bed, runId)).toMatchObject({ type: "LATER", details: { queue: 12 } });
  third.answer(422, "no JSON");
  await bed.reaches(runId, RunState.FAILED);
  expect(await shownBy(bed, runId)).not.toHaveProperty("details");
});
