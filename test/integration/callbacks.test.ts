/** `http` tasks that await a callback, over real HTTP: order, restarts, errors, and what hostile callers try. */
import { expect, test } from "vitest";
import { type RunEvent, RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState, TaskState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { holdTasks } from "../support/held-tasks.ts";
import { serveTool, type ToolRequest, type ToolServer } from "../support/tool-server.ts";
import { openWorkerBed, type WorkerBed } from "../support/worker-service.ts";

const ALLOWED = { ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1" };

const open = () => openWorkerBed(ALLOWED, { publicUrl: true });

const flow = ({ address }: ToolServer, more = "") => `  tasks:
    - id: call
      type: http
      parameters:
        url: "http://${address}/work?to=\${callback.url}"
        headers: {X-Report-To: "\${callback.url}"}
        body: {to: ["\${callback.url}"]}
        await_callback: true
${more}`;

const urlOf = ({ body }: ToolRequest): string => String((body as { to: string[] }).to[0]);

const post = async (url: string, body: unknown, type = "application/json") => {
  const sent = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(url, { method: "POST", headers: { "content-type": type }, body: sent });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

const kindsOf = async ({ client }: WorkerBed, runId: string): Promise<RunEventKind[]> => {
  const { events } = await client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
  return events.map(({ kind }: RunEvent) => kind);
};

const { TASK_DISPATCHED, TASK_STARTED, TASK_COMPLETED } = RunEventKind;

test("a callback ends the task: once, with the same answer to the same again, and by POST only", {
  timeout: 60_000,
}, async () => {
  const tool = await serveTool();
  const bed = await open();
  await bed.register("called", flow(tool));
  const runId = await bed.start("called");
  const request = await tool.next();
  const url = urlOf(request);
  expect(url).toMatch(new RegExp(`^http://${bed.address}/v1/callbacks/[\\w-]{40,128}$`));
  expect([decodeURIComponent(request.url), request.headers["x-report-to"]]).toEqual([`/work?to=${url}`, url]);
  await eventually(async () => expect(await kindsOf(bed, runId)).toContain(TASK_STARTED));
  expect((await fetch(url)).status).toBe(405);
  expect((await fetch(url, { method: "PUT", body: "1" })).status).toBe(405);
  expect(await post(url, { charged: [12] })).toEqual({ status: 200, body: {} });
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toEqual({ call: { charged: [12] } });
  expect((await post(url, { charged: [12] })).status).toBe(200);
  const other = await post(url, { charged: [13] });
  expect(other).toMatchObject({
    status: 409,
    body: {
      message: "the callback changes nothing: the attempt has ended, and the task is COMPLETED",
      details: [{ reason: "CALLBACK_OUTDATED", metadata: { state: "COMPLETED", outputType: "object" } }, {}],
    },
  });
  expect((await kindsOf(bed, runId)).slice(1, 4)).toEqual([TASK_DISPATCHED, TASK_STARTED, TASK_COMPLETED]);
  // Its secret is nowhere: not in the log, not in events, not in the stored input.
  const secret = url.slice(url.lastIndexOf("/") + 1);
  const { events } = await bed.client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
  const { task } = await bed.client.call(RunService.method.getRunTask, { runId, taskId: "call" });
  const input = task?.inputValue.case === "input" ? JSON.stringify(task.inputValue.value) : "";
  expect(input).toContain("${callback.url}");
  const kept = JSON.stringify([events, input, bed.service().output(), other.body], (_key, value) =>
    typeof value === "bigint" ? String(value) : (value as unknown),
  );
  expect(kept).not.toContain(secret);
});

test("a callback before the answer to the call ends the task, and any JSON is an output", {
  timeout: 60_000,
}, async () => {
  const tool = await serveTool(null);
  const bed = await open();
  await bed.register("called", flow(tool));
  for (const [body, output] of [
    ["7", 7],
    ["null", null],
    ["", null],
    ['"text"', "text"],
    ["[1, {}]", [1, {}]],
    ['{"error": 1, "more": 2}', { error: 1, more: 2 }],
  ] as const) {
    const runId = await bed.start("called");
    const request = await tool.next();
    expect((await post(urlOf(request), body)).status, body).toBe(200);
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId), body).toEqual({ call: output });
    request.answer(500, "too late");
    expect(await kindsOf(bed, runId)).not.toContain(TASK_STARTED);
  }
});

test("a kill -9 after the answer makes no second call; one before it makes it again, with the same URL", {
  timeout: 90_000,
}, async () => {
  const tool = await serveTool(null);
  const bed = await open();
  await bed.register("called", flow(tool));
  const answered = await bed.start("called");
  const first = await tool.next();
  first.answer(202);
  await eventually(async () => expect(await kindsOf(bed, answered)).toContain(TASK_STARTED));
  const unanswered = await bed.start("called");
  const lost = await tool.next();
  await bed.restart();
  const again = await tool.next();
  expect([again.headers["idempotency-key"], urlOf(again)]).toEqual([lost.headers["idempotency-key"], urlOf(lost)]);
  again.answer(202);
  await eventually(async () => expect(await kindsOf(bed, unanswered)).toContain(TASK_STARTED));
  await bed.restart();
  expect((await post(urlOf(first), "first")).status).toBe(400);
  expect((await post(urlOf(first), '"first"')).status).toBe(200);
  expect((await post(urlOf(lost), '"second"')).status).toBe(200);
  for (const [runId, output] of [
    [answered, "first"],
    [unanswered, "second"],
  ] as const) {
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toEqual({ call: output });
  }
  expect(tool.count()).toBe(3);
});

test("errors and other statuses fail the attempt, timeouts bound it, and late callbacks learn what stands", {
  timeout: 60_000,
}, async () => {
  const tool = await serveTool(null);
  const bed = await open();
  await bed.register("retried", flow(tool, "      retry_policy: {max_retries: 3, initial_delay: 0}\n"));
  const runId = await bed.start("retried");
  const first = await tool.next();
  // What the other side says must not bring the URL into the log or the journal.
  first.answer(503, `cannot report to ${urlOf(first)}`);
  const second = await tool.next();
  expect(urlOf(second)).not.toBe(urlOf(first));
  expect(await post(urlOf(first), "1")).toMatchObject({
    status: 409,
    body: { message: "the callback changes nothing: another attempt has begun since" },
  });
  second.answer(202);
  expect((await post(urlOf(second), { error: { type: "BUSY" } })).status).toBe(200);
  const third = await tool.next();
  third.answer(202);
  for (const [body, field] of [
    [{ error: null }, "error"],
    [{ error: "no" }, "error"],
    [{ error: {} }, "error.type"],
    [{ error: { type: "X".repeat(129) } }, "error.type"],
    [{ error: { type: "A", message: 1 } }, "error.message"],
    [{ error: { type: "A", retryable: "no" } }, "error.retryable"],
    [{ error: { type: "A", code: 1 } }, "error.code"],
  ] as const)
    expect(await post(urlOf(third), body), JSON.stringify(body)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining(field) },
    });
  const declined = { error: { type: "CARD_DECLINED", message: "no funds", retryable: false } };
  expect((await post(urlOf(third), declined)).status).toBe(200);
  const failed = await bed.reaches(runId, RunState.FAILED);
  expect(failed.error).toMatchObject({ type: "CARD_DECLINED", message: "no funds" });
  expect((await post(urlOf(third), declined)).status).toBe(200);
  expect(await post(urlOf(third), "1")).toMatchObject({
    status: 409,
    body: { details: [{ metadata: { state: "FAILED", errorType: "CARD_DECLINED" } }, {}] },
  });
  const { events } = await bed.client.call(RunService.method.listRunEvents, { runId, pageSize: 100 });
  const messages = events.flatMap(({ detail }) =>
    detail.case === "taskTransition" && detail.value.error !== undefined ? [detail.value.error.message] : [],
  );
  expect(messages[0]).toContain("cannot report to ${callback.url}");

  await bed.register("late", flow(tool, "      timeout: 500ms\n"));
  const late = await bed.start("late");
  const slow = await tool.next();
  slow.answer(200);
  expect((await bed.reaches(late, RunState.FAILED)).error?.type).toBe("TIMEOUT");
  expect((await post(urlOf(slow), "1")).status).toBe(409);

  await bed.register("canceled", flow(tool));
  const canceled = await bed.start("canceled");
  const forgotten = await tool.next();
  forgotten.answer(200);
  await eventually(async () => expect(await kindsOf(bed, canceled)).toContain(TASK_STARTED));
  const told = await bed.start("canceled");
  (await tool.next()).answer(200);
  await bed.client.call(RunService.method.cancelRun, { runId: canceled });
  await bed.reaches(canceled, RunState.CANCELED);
  expect((await post(urlOf(forgotten), "1")).status).toBe(409);
  await bed.client.call(RunService.method.completeTask, { runId: told, taskId: "call", reason: "by phone" });
  await bed.reaches(told, RunState.COMPLETED);
});

test("forged, foreign, and truncated URLs, and bodies that are too large or no JSON, change nothing", {
  timeout: 60_000,
}, async () => {
  const tool = await serveTool();
  const bed = await open();
  await bed.register("called", flow(tool));
  await bed.register("worked", "  tasks:\n    - {id: only, type: worker, parameters: {handler: hold}}\n");
  const runId = await bed.start("called");
  const url = urlOf(await tool.next());
  const base = url.slice(0, url.lastIndexOf("/") + 1);
  const secret = url.slice(base.length);
  const worker = await holdTasks(bed.client, ["hold"]);
  await bed.start("worked");
  const { taskToken } = await worker.next();
  for (const token of [secret.slice(1), secret.slice(0, -2), `${secret}A`, taskToken, "x", "a".repeat(256), "%2e%2e"])
    expect((await post(`${base}${token}`, "1")).status, token).toBe(404);
  for (const token of ["a".repeat(257), "%00"]) expect((await post(`${base}${token}`, "1")).status, token).toBe(400);
  // A callback is no report of a worker, either.
  expect((await worker.report(secret, "succeeded")).outcome).toBe(3);
  for (const [body, status] of [
    ["{", 400],
    ['{"a": 1, "a": 2}', 400],
    ['"\\u0000"', 400],
    ["12345678901234567890", 400],
    ["[".repeat(200) + "]".repeat(200), 400],
    [JSON.stringify("x".repeat(5_000_000)), 413],
  ] as const)
    expect((await post(url, body)).status, body.slice(0, 20)).toBe(status);
  expect((await post(url, "1", "text/plain")).status).toBe(415);
  const { task } = await bed.client.call(RunService.method.getRunTask, { runId, taskId: "call" });
  expect(task?.state).toBe(TaskState.RUNNING);
  expect((await post(url, "1")).status).toBe(200);
  await bed.reaches(runId, RunState.COMPLETED);
});

test("a flow that awaits callbacks does not start while nobody has said where they arrive", {
  timeout: 60_000,
}, async () => {
  const tool = await serveTool();
  const bed = await openWorkerBed(ALLOWED);
  await bed.register("called", flow(tool));
  await expect(bed.start("called")).rejects.toMatchObject({
    code: "CALLBACK_URL_MISSING",
    message: expect.stringContaining("set server.public_url (ORCHESTRATOR_PUBLIC_URL)"),
  });
  expect(tool.count()).toBe(0);
});
