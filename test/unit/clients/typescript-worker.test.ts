import { once } from "node:events";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { NonRetryableError, TaskError } from "../../../clients/typescript/worker/errors.ts";
import type { TaskContext } from "../../../clients/typescript/worker/handler.ts";
import { runHandler } from "../../../clients/typescript/worker/testing.ts";
import { createWorker } from "../../../clients/typescript/worker/worker.ts";
import { type TaskReport, TaskReportOutcome, WorkerService } from "../../../gen/typescript/connect/v1.js";
import { eventually } from "../../support/eventually.ts";

describe("a handler without a service", () => {
  test("gets its input and gives its output as JSON", async () => {
    const input = { at: new Date(0), none: undefined };
    const result = await runHandler<unknown, unknown>((given) => ({ given, more: undefined }), input);
    expect(result).toEqual({
      state: "succeeded",
      output: { given: { at: "1970-01-01T00:00:00.000Z" } },
      heartbeats: 0,
      progress: [],
      logs: [],
      checkpoints: [],
    });
    expect(await runHandler(() => {}, null)).toMatchObject({ state: "succeeded", output: null });
  });

  test("sees its task", async () => {
    const see = (_: unknown, { attempt, idempotencyKey, deadline }: TaskContext) => ({
      attempt,
      idempotencyKey,
      isLimited: deadline !== null,
    });
    const { output } = (await runHandler(see, null, { attempt: 3, idempotencyKey: "k", timeoutMs: 60_000 })) as never;
    expect(output).toEqual({ attempt: 3, idempotencyKey: "k", isLimited: true });
  });

  test.each([
    [
      new TaskError("BUSY", "later", { nextRetryDelayMs: 1_500 }),
      { type: "BUSY", retryable: true, nextRetryDelayMs: 1_500 },
    ],
    [new NonRetryableError("CARD_DECLINED", "no"), { type: "CARD_DECLINED", message: "no", retryable: false }],
    [new RangeError("out of range"), { type: "HANDLER_FAILED", message: "RangeError: out of range", retryable: true }],
    [new TaskError("", "x\ud800".repeat(9_000)), { type: "HANDLER_FAILED", message: "x\ufffd".repeat(4_096) }],
    [new TaskError("A\0B", "a\0b"), { type: "AB", message: "a\ufffdb" }],
    [new TaskError("A", "a", { details: { codes: [1] } }), { type: "A", message: "a", details: { codes: [1] } }],
    [new TaskError("A", "a", { details: 1n }), { type: "A", message: "a" }],
  ])("%s becomes an error of the contract", async (thrown, error) => {
    const fail = () => Promise.reject(thrown);
    expect(await runHandler(fail, null)).toMatchObject({ state: "failed", error });
  });

  test.each([
    [Object.create(null), "a value of type object that cannot be printed"],
    [undefined, "undefined"],
    [Symbol("s"), "Symbol(s)"],
  ])("anything that is thrown becomes one", async (thrown, message) => {
    const error = { type: "HANDLER_FAILED", message };
    expect(await runHandler(() => Promise.reject(thrown), null)).toMatchObject({ state: "failed", error });
  });

  test.each([
    ["what is not JSON", 1n, "OUTPUT_INVALID"],
    ["a function", () => {}, "OUTPUT_INVALID"],
    ["more than the service takes", "x".repeat(2 ** 22), "OUTPUT_TOO_LARGE"],
  ])("an output that is %s is an error without retry", async (_, output, type) => {
    expect(await runHandler(() => output, null)).toMatchObject({ state: "failed", error: { type, retryable: false } });
  });

  test("is told that its task is canceled, and that its time is up", async () => {
    const wait = async (_: unknown, { signal }: TaskContext) => {
      if (!signal.aborted) await once(signal, "abort");
      signal.throwIfAborted();
    };
    const cancel = new AbortController();
    const canceled = runHandler(wait, null, { cancel: cancel.signal });
    cancel.abort();
    expect(await canceled).toMatchObject({ state: "stopped" });
    expect(await runHandler(wait, null, { timeoutMs: 5 })).toMatchObject({
      state: "failed",
      error: { type: "TIMEOUT" },
    });
  });

  test("has its progress, lines, and checkpoints captured", async () => {
    const work = (_: unknown, task: TaskContext) => {
      task.progress({ current: 1, total: 2, message: "half" });
      task.progress({ fraction: 7 });
      task.log("reads", "debug");
      task.checkpoint({ page: (task.lastCheckpoint as { page: number }).page + 1 });
      return task.lastCheckpoint;
    };
    expect(await runHandler(work, null, { lastCheckpoint: { page: 1 } })).toEqual({
      state: "succeeded",
      output: { page: 2 },
      heartbeats: 0,
      progress: [
        { current: 1, total: 2, message: "half" },
        { fraction: 1, message: "" },
      ],
      logs: ["reads"],
      checkpoints: [{ page: 2 }],
    });
    const large = (_: unknown, task: TaskContext) => task.checkpoint("x".repeat(65_536));
    expect(await runHandler(large, null)).toMatchObject({ state: "failed", error: { type: "HANDLER_FAILED" } });
    expect(await runHandler((_, task) => task.detach(), null)).toMatchObject({ state: "detached" });
  });

  test("has its heartbeats counted", async () => {
    const beat = (_: unknown, task: TaskContext) => {
      task.heartbeat();
      task.heartbeat();
    };
    expect(await runHandler(beat, null)).toMatchObject({ heartbeats: 2 });
  });
});

describe("a worker", () => {
  const session = { sessionId: "s", maxReports: 10, maxOutputBytes: 1_000n, sessionTimeout: { seconds: 30n } };
  const task = (taskToken: string, handler = "work") => ({
    event: { case: "task" as const, value: { taskToken, handler, inputJson: new TextEncoder().encode("1") } },
  });

  /** A service that hands out tasks, and answers reports as `answer` says. */
  function serve(tokens: readonly string[], answer: (reports: readonly TaskReport[]) => readonly TaskReportOutcome[]) {
    return createRouterTransport(({ service }) => {
      service(WorkerService, {
        registerWorker: () => session,
        async *pollTasks(_, { signal }) {
          for (const token of tokens) yield task(token, token === "strange" ? "strange" : "work");
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
        reportTasks: ({ reports }) => ({ results: answer(reports).map((outcome) => ({ outcome })) }),
      });
    });
  }

  test("reports a quick task once, many in a call, and hands back what it has no handler for", async () => {
    const calls: string[][] = [];
    const worker = createWorker({
      log: () => {},
      transport: serve(["a", "b", "strange"], (reports) => {
        if (reports.length > 0) calls.push(reports.map(({ taskToken, event }) => `${taskToken} ${event.case}`));
        worker.stop();
        return reports.map(() => TaskReportOutcome.ACCEPTED);
      }),
    });
    await worker.handle("work", () => "done").run();
    expect(calls.flat().sort()).toEqual(["a succeeded", "b succeeded", "strange handedBack"]);
  });

  test("that the service refuses does not run, and waits for a service that is away", async () => {
    let calls = 0;
    const transport = createRouterTransport(({ service }) => {
      service(WorkerService, {
        registerWorker: () => {
          calls += 1;
          throw new ConnectError("no", calls < 3 ? Code.Unavailable : Code.PermissionDenied);
        },
      });
    });
    const lines: string[] = [];
    const worker = createWorker({ transport, log: (line) => lines.push(line) });
    await expect(worker.handle("work", () => {}).run()).rejects.toThrow("no");
    expect(calls).toBe(3);
    expect(lines).toEqual([expect.stringContaining("the service is away, trying again")]);
  });

  test("fails a task whose result the service does not take, and reports the others", async () => {
    const said: string[] = [];
    const worker = createWorker({
      log: () => {},
      transport: serve(["a", "b"], (reports) => {
        if (reports.some(({ taskToken, event }) => taskToken === "a" && event.case === "succeeded"))
          throw new ConnectError("too long", Code.InvalidArgument);
        said.push(...reports.map(({ taskToken, event }) => `${taskToken} ${event.case}`));
        if (said.length === 2) worker.stop();
        return reports.map(() => TaskReportOutcome.ACCEPTED);
      }),
    });
    await worker.handle("work", () => "done").run();
    expect(said.sort()).toEqual(["a failed", "b succeeded"]);
  });

  test("fails a task whose error the service does not take, and gives up when it takes no error at all", async () => {
    const types: string[] = [];
    const worker = createWorker({
      log: () => {},
      transport: serve(["a", "b"], (reports) =>
        reports.map(({ taskToken, event }) => {
          if (event.case !== "failed") return TaskReportOutcome.ACCEPTED;
          types.push(`${taskToken} ${event.value.type}`);
          if (taskToken === "a" || event.value.type === "BAD") throw new ConnectError("no", Code.InvalidArgument);
          return TaskReportOutcome.ACCEPTED;
        }),
      ),
    });
    worker.handle("work", () => {
      throw new TaskError("BAD", "bad");
    });
    const running = worker.run();
    await eventually(() => expect(types).toContain("b REPORT_REFUSED"));
    await eventually(() => expect(types).toContain("a REPORT_REFUSED"));
    worker.stop();
    await running;
    expect(types.filter((type) => type === "a REPORT_REFUSED")).toHaveLength(1);
  });

  test("says what was said in its order, the last of each kind, and lines for watchers once", async () => {
    const said: string[] = [];
    const worker = createWorker({
      log: () => {},
      transport: serve(["a"], (reports) =>
        reports.map(({ event }) => {
          said.push(event.case ?? "");
          if (said.length <= 4) return TaskReportOutcome.UNAVAILABLE;
          worker.stop();
          return TaskReportOutcome.ACCEPTED;
        }),
      ),
    });
    const work = (_: unknown, task: TaskContext) => {
      task.progress({ fraction: 0 });
      task.checkpoint(1);
      task.progress({ fraction: 1 });
      task.checkpoint(2);
      task.log("done");
    };
    await worker.handle("work", work).run();
    expect(said).toEqual(["progress", "checkpoint", "log", "succeeded", "checkpoint", "succeeded"]);
  });

  test("repeats a report until it is answered", async () => {
    const said: string[] = [];
    const worker = createWorker({
      log: () => {},
      transport: serve(["a"], (reports) =>
        reports.map(({ event }) => {
          said.push(event.case ?? "");
          if (said.length < 3) return TaskReportOutcome.UNAVAILABLE;
          worker.stop();
          return TaskReportOutcome.ACCEPTED;
        }),
      ),
    });
    await worker.handle("work", () => "done").run();
    expect(said).toEqual(["succeeded", "succeeded", "succeeded"]);
  });

  test.each([
    ["outdated", TaskReportOutcome.OUTDATED, ["acknowledged"]],
    ["canceled", TaskReportOutcome.CANCEL_REQUESTED, ["acknowledged", "stopped"]],
  ])("aborts the handler of a task that is %s", async (_, outcome, expected) => {
    const said: string[] = [];
    const worker = createWorker({
      log: () => {},
      transport: serve(["a"], (reports) =>
        reports.map(({ event }) => {
          said.push(event.case ?? "");
          return event.case === "acknowledged" ? outcome : TaskReportOutcome.ACCEPTED;
        }),
      ),
    });
    const wait = async (__: unknown, { signal }: TaskContext) => {
      await once(signal, "abort");
      worker.stop();
      signal.throwIfAborted();
    };
    await worker.handle("work", wait).run();
    expect(said).toEqual(expected);
  });
});
