/** Tasks of agents while instances die, and over Streams. */
import { expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { eventually } from "../support/eventually.ts";
import { connectPlainRedis, openForeignAgent } from "../support/foreign-agent.ts";
import { startRedisForTest } from "../support/redis-server.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const port = inject("redis");
const skips = port === 0;

const ONE = "  tasks:\n    - {id: a, type: data, parameters: {operation: search}}\n";

/** Entries of a Stream: the texts of their messages. */
async function readStream(at: number, key: string): Promise<readonly string[]> {
  const redis = await connectPlainRedis(at);
  const entries = (await redis.call("XRANGE", key, "-", "+")) as readonly [string, readonly string[]][];
  redis.close();
  return entries.map(([, fields]) => fields[1] ?? "");
}

test.skipIf(skips)(
  "an answer that comes while its owner is dead is applied by the next one, once",
  { timeout: 90_000 },
  async () => {
    const opened = await openAgentTaskBed(port, { ORCHESTRATOR_LEASE_TTL: "2s" });
    const { bed } = opened;
    const agent = await openForeignAgent(port, opened.of("data"));
    await bed.register("one", ONE);
    const runId = await bed.start("one");
    await eventually(() => expect(agent.seen).toHaveLength(1));
    await startServeForTest({ folder: createFileFolder(), env: opened.env });
    await eventually(async () => expect(await agent.answer("nothing")).toBe(2), { timeoutMs: 20_000 });
    await bed.service().stop("SIGKILL");
    const correlation_id = agent.seen[0]?.correlation_id ?? "";
    for (const output of [1, 1, 2]) await agent.answer({ correlation_id, status: "completed", output });
    await eventually(
      async () => {
        const { rows } = await opened.database.reads.query<{ state: string }>(
          "SELECT state FROM orchestrator.runs WHERE run_id = $1",
          [runId],
        );
        expect(rows).toEqual([{ state: "COMPLETED" }]);
      },
      { timeoutMs: 30_000 },
    );
    const { rows } = await opened.database.reads.query<{ records: string }>(
      "SELECT records FROM orchestrator.journal WHERE run_id = $1",
      [runId],
    );
    const ends = rows.flatMap(({ records }) => JSON.parse(records)).filter(({ type }) => type === "task.completed");
    expect(ends).toMatchObject([{ output: 1 }]);
    expect(agent.seen).toHaveLength(1);
  },
);

test.skipIf(skips)(
  "over a Stream, a request whose arrival nobody knows is sent again, and one answer counts",
  { timeout: 90_000 },
  async () => {
    const redis = await startRedisForTest();
    const opened = await openAgentTaskBed(redis.port, {
      ORCHESTRATOR_AGENTS_DATA_REQUESTS: "stream:data-requests",
      ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "1s",
    });
    const { bed, prefix } = opened;
    await bed.register("one", ONE);
    await eventually(() => expect(bed.service().output()).toContain("Redis takes requests for agents"));
    redis.signal("SIGSTOP");
    const runId = await bed.start("one");
    await bed.service().stop("SIGKILL");
    redis.signal("SIGCONT");
    const requests = `${prefix}data-requests`;
    await eventually(async () => expect(await readStream(redis.port, requests)).toHaveLength(1));
    await bed.restart();
    const texts = await eventually(
      async () => {
        const read = await readStream(redis.port, requests);
        expect(read).toHaveLength(2);
        return read;
      },
      { timeoutMs: 20_000 },
    );
    const [first, second] = texts.map((text) => JSON.parse(text));
    expect(second).toEqual({ ...first, correlation_id: expect.any(String) });
    const speaker = await connectPlainRedis(redis.port);
    for (const [message, output] of [
      [first, "late"],
      [second, "counts"],
    ])
      await speaker.call(
        "XADD",
        `${prefix}data-responses`,
        "*",
        "message",
        JSON.stringify({ correlation_id: message.correlation_id, status: "completed", output }),
      );
    await bed.reaches(runId, RunState.COMPLETED);
    expect(await bed.outputOf(runId)).toEqual({ a: "counts" });
  },
);

test.skipIf(skips)("an answer on a Stream waits for the service", async () => {
  const opened = await openAgentTaskBed(port);
  const { bed, prefix } = opened;
  const agent = await openForeignAgent(port, opened.of("data"));
  await bed.register("one", ONE);
  const runId = await bed.start("one");
  await eventually(() => expect(agent.seen).toHaveLength(1));
  await bed.service().stop("SIGKILL");
  const speaker = await connectPlainRedis(port);
  const answer = { correlation_id: agent.seen[0]?.correlation_id, status: "completed", output: 3 };
  await speaker.call("XADD", `${prefix}data-responses`, "*", "message", JSON.stringify(answer));
  await bed.restart();
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toEqual({ a: 3 });
  expect(agent.seen).toHaveLength(1);
});

test.skipIf(skips)("an agent is asked to stop when the run is canceled, also by the next owner", async () => {
  const opened = await openAgentTaskBed(port, { ORCHESTRATOR_AGENTS_CONTROL: "true" });
  const { bed, prefix } = opened;
  const agent = await openForeignAgent(port, opened.of("data"));
  const control: { readonly correlation_id: string }[] = [];
  const listener = await connectPlainRedis(port);
  await listener.subscribe(`${prefix}data-control`, (text) => control.push(JSON.parse(text)));
  await bed.register("one", ONE);
  const cancel = async (index: number, runId: string): Promise<void> => {
    const correlation_id = agent.seen[index]?.correlation_id ?? "";
    await bed.client.call(RunService.method.cancelRun, { runId, reason: "enough" });
    await eventually(() => expect(control.map((message) => message.correlation_id)).toContain(correlation_id));
    await agent.answer({
      correlation_id,
      status: "failed",
      error: { type: "CANCELED", message: "stopped", retryable: false },
    });
    await bed.reaches(runId, RunState.CANCELED);
  };
  const first = await bed.start("one");
  await eventually(() => expect(agent.seen).toHaveLength(1));
  await cancel(0, first);
  const second = await bed.start("one");
  await eventually(() => expect(agent.seen).toHaveLength(2));
  await bed.restart();
  await eventually(() => expect(bed.service().output()).toContain("Redis takes requests for agents"));
  await cancel(1, second);
});
