/** Tasks of agents, done by a program that speaks to Redis over a plain socket. */
import { expect, inject, test } from "vitest";
import { RunFindingKind } from "../../src/gen/orchestrator/v1/run_diagnosis_pb.ts";
import { RunState, TaskState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { findAgentProblems } from "../support/agents.ts";
import { eventually } from "../support/eventually.ts";
import { openForeignAgent } from "../support/foreign-agent.ts";
import { startRedisForTest } from "../support/redis-server.ts";

const port = inject("redis");
const skips = port === 0;

const rowsOf = async ({ database }: Awaited<ReturnType<typeof openAgentTaskBed>>) =>
  (await database.reads.query<{ queue: string }>("SELECT queue FROM orchestrator.waiting_tasks")).rows;

test.skipIf(skips)("the three types go to their agents with the parameters as they are, and come back", async () => {
  const opened = await openAgentTaskBed(port);
  const { bed } = opened;
  const agents = await Promise.all(
    ["data", "ai", "exec"].map((kind) =>
      openForeignAgent(port, opened.of(kind), ({ correlation_id, parameters }, answer) => {
        const output = kind === "ai" ? '{"rows": 2}' : { [kind]: parameters };
        void answer({ correlation_id, status: "completed", output });
      }),
    ),
  );
  await bed.register(
    "three",
    `  tasks:
    - {id: get, type: data, parameters: {operation: traverse, query: {cypher: "MATCH (n) RETURN n"}, odd: [1]}, timeout: 60}
    - {id: think, type: ai, depends_on: [get], parameters: {provider: x, prompt: "see \${get.output.data.odd[0]}", response_format: json}}
    - {id: run, type: exec, depends_on: [think], parameters: {image: "python:3", command: [python, "\${think.output.rows}"]}}
`,
  );
  const runId = await bed.start("three");
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toMatchObject({ run: { exec: { image: "python:3", command: ["python", 2] } } });
  const requests = agents.map(({ seen }) => seen[0]);
  for (const request of requests) expect(findAgentProblems("request", request)).toBe("");
  expect(requests[0]).toEqual({
    correlation_id: expect.stringMatching(/^[\w-]{20,128}$/),
    task_type: "data",
    parameters: { operation: "traverse", query: { cypher: "MATCH (n) RETURN n" }, odd: [1] },
    execution_id: runId,
    task_id: "get",
    attempt: 0,
    timeout: 60,
    workflow_correlation_id: null,
  });
  expect(requests[1]?.parameters).toMatchObject({ prompt: "see 1" });
});

test.skipIf(skips)(
  "a task waits for its agent, visibly and without an attempt, and is done when it comes",
  async () => {
    const opened = await openAgentTaskBed(port);
    const { bed } = opened;
    await bed.register("one", "  tasks:\n    - {id: a, type: data, parameters: {operation: search}}\n");
    const runId = await bed.start("one");
    await eventually(async () => expect(await rowsOf(opened)).toEqual([{ queue: "@agent:data" }]));
    await eventually(async () => {
      const { findings } = await bed.client.call(RunService.method.diagnoseRun, { runId });
      expect(findings).toMatchObject([
        { kind: RunFindingKind.NO_WORKER, message: expect.stringContaining("no agent") },
      ]);
    });
    await eventually(() => expect(bed.service().output()).toContain("no agent listens"));
    const agent = await openForeignAgent(port, opened.of("data"), ({ correlation_id }, answer) => {
      void answer({ correlation_id, status: "success", result: "found" });
    });
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toEqual({ a: "found" });
    expect(agent.seen).toMatchObject([{ attempt: 0 }]);
    expect(await rowsOf(opened)).toEqual([]);
  },
);

test.skipIf(skips)("answers that are repeated, late, forged, or no answers cost nothing", async () => {
  const opened = await openAgentTaskBed(port);
  const { bed } = opened;
  const agent = await openForeignAgent(port, opened.of("ai"));
  await bed.register(
    "retried",
    `  tasks:
    - {id: a, type: ai, parameters: {prompt: hello, response_format: json}, retry_policy: {max_retries: 2, backoff_type: fixed, initial_delay: 100ms}}
`,
  );
  const runId = await bed.start("retried");
  const tokenOf = (index: number) =>
    eventually(() => agent.seen[index]?.correlation_id ?? expect.unreachable("no request yet"));
  const first = await tokenOf(0);
  for (const message of ["no JSON", "[]", "{}", { correlation_id: `${first.slice(0, -1)}A`, status: "completed" }])
    await agent.answer(message);
  await agent.answer({ correlation_id: first, progress: 0.5 });
  await agent.answer({ correlation_id: first, status: "completed", output: "no JSON" });
  const second = await tokenOf(1);
  expect(second).not.toBe(first);
  await agent.answer({ correlation_id: first, status: "completed", output: "1" });
  await agent.answer({ correlation_id: second, status: "failed", error: "busy" });
  const third = await tokenOf(2);
  for (const output of ["2", "2", "3"]) await agent.answer({ correlation_id: third, status: "completed", output });
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toEqual({ a: 2 });
  expect(agent.seen.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
});

test.skipIf(skips)(
  "an answer that cannot be taken ends its attempt with the reason, in the run and in the log",
  async () => {
    const opened = await openAgentTaskBed(port);
    const { bed } = opened;
    let answerWith = (_token: string): string => "";
    await openForeignAgent(
      port,
      opened.of("data"),
      ({ correlation_id }, answer) => void answer(answerWith(correlation_id)),
    );
    await bed.register("one", "  tasks:\n    - {id: a, type: data, parameters: {operation: search}}\n");
    for (const [parts, type, message] of [
      ['"output": NaN', "ANSWER_INVALID", /^the answer of the agent cannot be taken: it is not valid JSON/],
      [`"output": "${"x".repeat(5_000_000)}"`, "ANSWER_INVALID", /it has 50001\d\d bytes; the limit is \d+$/],
      ['"error": {"type": "no word", "message": "full"}', "AGENT_FAILED", /^no word: full$/],
      [`"error": "${"x".repeat(10_000)}"`, "AGENT_FAILED", /^x{4096}…$/],
    ] as const) {
      answerWith = (token) => `{"correlation_id": "${token}", ${parts}}`;
      const runId = await bed.start("one");
      await bed.reaches(runId, RunState.FAILED);
      const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId });
      expect(tasks).toMatchObject([{ error: { type, message: expect.stringMatching(message) } }]);
      if (type !== "ANSWER_INVALID") continue;
      await eventually(() => {
        const lines = bed.service().output().split("\n");
        const line = lines.find((each) => each.includes("cannot be taken") && each.includes(runId));
        expect(line).toMatch(/task"?[=:]"?a\b/);
      });
    }
  },
);

test.skipIf(skips)(
  "a service that is killed publishes nothing again, and takes the answer to what it had published",
  async () => {
    const opened = await openAgentTaskBed(port, { ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "1s" });
    const { bed } = opened;
    const agent = await openForeignAgent(port, opened.of("exec"));
    await bed.register("one", "  tasks:\n    - {id: a, type: exec, parameters: {command: sleep}}\n");
    const runId = await bed.start("one");
    await eventually(() => expect(agent.seen).toHaveLength(1));
    await eventually(async () => {
      const { tasks } = await bed.client.call(RunService.method.listRunTasks, { runId });
      expect(tasks.map(({ state }) => state)).toEqual([TaskState.RUNNING]);
    });
    await bed.restart("SIGKILL");
    // Holders of tasks that must make themselves known are lost by then.
    const restartedAt = performance.now();
    await eventually(() => expect(performance.now() - restartedAt).toBeGreaterThan(4_000));
    const correlation_id = agent.seen[0]?.correlation_id ?? "";
    await eventually(async () => expect(await agent.answer({ correlation_id, progress: 0.5 })).toBe(1), {
      timeoutMs: 20_000,
    });
    await agent.answer({ correlation_id, status: "completed", output: 5 });
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toEqual({ a: 5 });
    expect(agent.seen).toHaveLength(1);
  },
);

test.skipIf(skips)(
  "a Redis that is killed keeps tasks waiting, and they go on when it is back",
  { timeout: 90_000 },
  async () => {
    const redis = await startRedisForTest();
    const opened = await openAgentTaskBed(redis.port);
    const { bed } = opened;
    await bed.register("one", "  tasks:\n    - {id: a, type: data, parameters: {operation: search}}\n");
    await redis.stop("SIGKILL");
    const runId = await bed.start("one");
    await eventually(async () => expect(await rowsOf(opened)).toHaveLength(1));
    // What waits is a task like those for workers, and no message: starts go on, and the gauges of queues show it.
    const gauge = 'orchestrator_queue_tasks{queue="@agent:data",state="WAITING"} 1\n';
    await eventually(
      async () =>
        expect(await (await fetch(`http://127.0.0.1:${bed.service().metricsPort}/metrics`)).text()).toContain(gauge),
      { timeoutMs: 40_000, intervalMs: 500 },
    );
    expect((await opened.database.reads.query("SELECT 1 FROM orchestrator.outbox")).rows).toEqual([]);
    await redis.start();
    await openForeignAgent(redis.port, opened.of("data"), ({ correlation_id }, answer) => {
      // The service may not listen again yet.
      void eventually(async () => expect(await answer({ correlation_id, status: "completed", output: 1 })).toBe(1));
    });
    await bed.reaches(runId, RunState.COMPLETED);
  },
);

test.skipIf(skips)(
  "a task that no agent takes in time fails with no attempt lost before, however often it is offered",
  async () => {
    const opened = await openAgentTaskBed(port);
    const { bed } = opened;
    await bed.register(
      "late",
      "  tasks:\n    - {id: a, type: ai, parameters: {prompt: x}, schedule_to_start_timeout: 3, retry_policy: {max_retries: 3}}\n",
    );
    const runId = await bed.start("late");
    const run = await bed.reaches(runId, RunState.FAILED);
    expect(run.error?.type).toBe("SCHEDULE_TO_START_TIMEOUT");
    const { rows } = await opened.database.reads.query<{ records: string }>(
      "SELECT records FROM orchestrator.journal WHERE run_id = $1 ORDER BY sequence",
      [runId],
    );
    const records = rows.flatMap(({ records }) => JSON.parse(records) as { type: string; attempt?: number }[]);
    // It is offered once, and then somebody must listen first.
    expect(records.filter(({ type }) => type === "task.dispatched").length).toBeLessThanOrEqual(1);
    expect(records.filter(({ type }) => type === "task.failed")).toHaveLength(1);
  },
);
