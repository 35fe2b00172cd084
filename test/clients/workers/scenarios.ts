/** What every worker library must do, against a real service that is killed and started again. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { findFreePort } from "../../support/free-port.ts";
import { type ServeProcess, startServe } from "../../support/serve-process.ts";
import { createFileFolder, createTemporaryFolder } from "../../support/temporary-folder.ts";
import { startWorkerProcess, type WorkerProcess, type WorkerProgram } from "./worker-process.ts";

/** A run as REST shows it. */
interface Run {
  readonly runId: string;
  readonly state: string;
  readonly output?: unknown;
  readonly error?: { readonly type: string; readonly message: string; readonly retryable?: boolean };
}

const FLOW = {
  id: "worker-check",
  name: "Worker check",
  version: "1",
  variables: [
    { name: "handler", type: "string", required: true },
    { name: "input", type: "object", default: {} },
    { name: "heartbeat", type: "string", default: "30s" },
  ],
  workflow: {
    tasks: [
      {
        id: "work",
        type: "worker",
        parameters: { queue: "test", handler: "${handler}", input: "${input}" },
        heartbeat_timeout: "${heartbeat}",
        retry_policy: { max_retries: 3, backoff_type: "fixed", initial_delay: 0 },
      },
    ],
    output: "${work.output}",
  },
};

/** Declares the scenarios for the worker of one language. `waits`: its handlers that wait for a file. */
export function declareScenarios(program: () => WorkerProgram, waits: readonly string[] = ["wait"]): void {
  let service: ServeProcess;
  let folder: string;
  let port: number;
  const env = { ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "4s", ORCHESTRATOR_LOG_FORMAT: "json" };

  beforeAll(async () => {
    folder = createFileFolder();
    port = await findFreePort();
    service = await startServe({ folder, port, env });
    await post("/v1/flows", { source: JSON.stringify(FLOW) });
  });
  afterAll(async () => {
    await service?.stop();
  });

  async function call(path: string, init?: RequestInit): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const body = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
    return body;
  }
  const post = (path: string, body: object) =>
    call(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

  async function start(handler: string, input: object = {}, more: object = {}): Promise<string> {
    const { run } = await post("/v1/runs", {
      flowId: FLOW.id,
      input: { handler, input, ...more },
      correlationId: "c-1",
    });
    return (run as Run).runId;
  }
  const ended = (runId: string): Promise<Run> =>
    eventually(
      async () => {
        const { run } = (await call(`/v1/runs/${runId}`)) as { readonly run: Run };
        if (!/COMPLETED|FAILED|CANCELED|TIMED_OUT/.test(run.state)) throw new Error(`${runId} is ${run.state}`);
        return run;
      },
      { timeoutMs: 60_000, intervalMs: 50 },
    );
  const startWorker = (more: Readonly<Record<string, string>> = {}): WorkerProcess =>
    startWorkerProcess(program(), { ORCHESTRATOR_TEST_ADDR: service.address, ...more });
  /** A file that a handler waits for, and what makes it. */
  const gate = () => {
    const file = join(createTemporaryFolder(), "gate");
    return { input: { file }, open: () => writeFileSync(file, "") };
  };

  test("does tasks, retries typed errors, and ends what cannot be retried", async () => {
    startWorker();
    const runs = await Promise.all([start("double", { n: 21 }), start("flaky"), start("decline"), start("broken")]);
    const [double, flaky, decline, broken] = await Promise.all(runs.map(ended));
    expect(double).toMatchObject({ state: "RUN_STATE_COMPLETED", output: { doubled: 42 } });
    expect(flaky).toMatchObject({
      state: "RUN_STATE_COMPLETED",
      output: {
        attempt: 3,
        runId: runs[1],
        correlationId: "c-1",
        idempotencyKey: expect.stringContaining(`${runs[1]}/work`),
      },
    });
    expect(decline).toMatchObject({
      state: "RUN_STATE_FAILED",
      error: { type: "CARD_DECLINED", message: "the card is declined" },
    });
    expect(broken).toMatchObject({
      state: "RUN_STATE_FAILED",
      error: { type: "HANDLER_FAILED", message: expect.stringContaining("out of range") },
    });
    const { task } = (await call(`/v1/runs/${runs[2]}/tasks/work`)) as { readonly task: { readonly attempt: number } };
    expect(task.attempt).toBe(1);
  });

  test("goes on from the checkpoint of the attempt before, and detaches", async () => {
    startWorker();
    const [steps = "", detached = ""] = await Promise.all([start("steps"), start("detach")]);
    expect(await ended(steps)).toMatchObject({ output: { attempt: 2, page: 1 } });
    await eventually(async () => {
      const { workers } = (await call("/v1/workers")) as { readonly workers: readonly { heldCount?: number }[] };
      expect(workers.filter(({ heldCount = 0 }) => heldCount > 0)).toEqual([]);
    });
    await post(`/v1/runs/${detached}/tasks/work:complete`, { output: { by: "somebody" }, reason: "done elsewhere" });
    expect(await ended(detached)).toMatchObject({ output: { by: "somebody" } });
  });

  test("does many tasks at once", async () => {
    startWorker();
    const runs = await Promise.all(Array.from({ length: 60 }, (_, n) => start("double", { n })));
    const outputs = (await Promise.all(runs.map(ended))).map(({ output }) => output);
    expect(outputs).toEqual(Array.from({ length: 60 }, (_, n) => ({ doubled: n * 2 })));
  });

  test("an operator drains it: it ends what it holds, and exits", async () => {
    const worker = startWorker();
    const { input, open } = gate();
    const runId = await start("wait", input);
    await worker.printed(/^begun 1$/);
    const { workers } = (await call("/v1/workers")) as {
      readonly workers: readonly { readonly workerId: string; readonly sdk: string; readonly heldCount?: number }[];
    };
    const busy = workers.filter(({ heldCount = 0 }) => heldCount === 1);
    expect(busy.map(({ sdk }) => sdk)).toEqual([expect.stringMatching(/^(typescript|python|go)\/\d/)]);
    await post(`/v1/workers/${busy[0]?.workerId}:drain`, { reason: "deploy" });
    await worker.printed(/drains this worker: deploy/);
    open();
    await worker.printed(/^stopped$/);
    expect(await ended(runId)).toMatchObject({ output: { attempt: 1 } });
  });

  test.each(waits)("stops a handler whose run is canceled (%s)", async (handler) => {
    const worker = startWorker();
    const runId = await start(handler, gate().input);
    await worker.printed(/^begun 1$/);
    await post(`/v1/runs/${runId}:cancel`, {});
    await worker.printed(/^aborted$/);
    expect(await ended(runId)).toMatchObject({ state: "RUN_STATE_CANCELED" });
  });

  test("says that a task is alive while its handler runs", async () => {
    const worker = startWorker();
    const { input, open } = gate();
    const runId = await start("wait", input, { heartbeat: "1s" });
    await worker.printed(/^begun 1$/);
    const begun = Date.now();
    await eventually(() => expect(Date.now() - begun).toBeGreaterThan(3_000));
    open();
    expect(await ended(runId)).toMatchObject({ output: { attempt: 1 } });
  });

  test("on SIGTERM waits for its handlers, and takes no new tasks", async () => {
    const worker = startWorker();
    const { input, open } = gate();
    const runId = await start("wait", input);
    await worker.printed(/^begun 1$/);
    const exit = worker.stop();
    const later = await start("double", { n: 1 });
    open();
    expect(await exit, worker.output()).toBe(0);
    expect(worker.output()).toContain("stopped");
    expect(await ended(runId)).toMatchObject({ output: { attempt: 1 } });
    startWorker();
    expect(await ended(later)).toMatchObject({ output: { doubled: 2 } });
  });

  test("hands back what it cannot finish before it stops, at no attempt", async () => {
    const worker = startWorker({ STOP_TIMEOUT_MS: "100" });
    const { input, open } = gate();
    const runId = await start("wait", input);
    await worker.printed(/^begun 1$/);
    expect(await worker.stop(), worker.output()).toBe(0);
    expect(worker.output()).toContain("aborted");
    // It said goodbye.
    const { workers = [] } = (await call("/v1/workers")) as { readonly workers?: readonly { heldCount?: number }[] };
    expect(workers.filter(({ heldCount = 0 }) => heldCount > 0)).toEqual([]);
    open();
    startWorker();
    expect(await ended(runId)).toMatchObject({ output: { attempt: 1 } });
  });

  test("killed on the way: another worker does the task again, as the same attempt", async () => {
    const worker = startWorker();
    const { input, open } = gate();
    const runId = await start("wait", input);
    await worker.printed(/^begun 1$/);
    await worker.stop("SIGKILL");
    const next = startWorker();
    await next.printed(/^begun 1$/);
    open();
    expect(await ended(runId)).toMatchObject({ state: "RUN_STATE_COMPLETED", output: { attempt: 1 } });
  });

  test("a service that is killed and started again takes the result by the same token", {
    timeout: 120_000,
  }, async () => {
    const worker = startWorker();
    onTestFinished(async () => {
      if (service.child.exitCode !== null || service.child.signalCode !== null)
        service = await startServe({ folder, port, env });
    });
    const { input, open } = gate();
    const runId = await start("wait", input);
    await worker.printed(/^begun 1$/);
    // The acknowledgement is durable.
    await eventually(async () => {
      const { task } = (await call(`/v1/runs/${runId}/tasks/work`)) as { readonly task: { readonly state: string } };
      expect(task.state).toBe("TASK_STATE_RUNNING");
    });
    await service.stop("SIGKILL");
    await worker.printed(/service is away/);
    service = await startServe({ folder, port, env });
    await worker.printed(/connected/, 2);
    open();
    expect(await ended(runId)).toMatchObject({ state: "RUN_STATE_COMPLETED", output: { attempt: 1 } });
    expect(worker.output().match(/^begun/gm)).toHaveLength(1);
  });
}
