/** Progress of agents' tasks, for those who watch. */
import { expect, inject, onTestFinished, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { eventually } from "../support/eventually.ts";
import { connectPlainRedis, openForeignAgent } from "../support/foreign-agent.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const port = inject("redis");
const skips = port === 0;

// Cause: an entry of a Stream is read by one instance, and one that does not own the run dropped its progress.
test.skipIf(skips)("progress on a Stream reaches those who watch, whichever instance reads it", async () => {
  const opened = await openAgentTaskBed(port, { ORCHESTRATOR_LOG_FORMAT: "json" });
  const { bed, prefix } = opened;
  const agent = await openForeignAgent(port, opened.of("data"));
  await bed.register("one", "  tasks:\n    - {id: a, type: data, parameters: {operation: search}}\n");
  // One of them owns the run.
  const other = await startServeForTest({ folder: createFileFolder(), env: opened.env });
  const runId = await bed.start("one");
  await eventually(() => expect(agent.seen).toHaveLength(1));
  await eventually(() => expect(bed.service().output()).toContain("streams are read"), { timeoutMs: 20_000 });
  await eventually(() => expect(other.output()).toContain("streams are read"), { timeoutMs: 20_000 });

  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const told: string[] = [];
  let isOpen = false;
  const watching = (async () => {
    for await (const { frame } of bed.client.stream(
      RunService.method.watchRun,
      { runId, includeEphemeral: true },
      { signal: stop.signal },
    )) {
      isOpen = true;
      if (frame.case !== "event" || frame.value.detail.case !== "progress") continue;
      const { message, current } = frame.value.detail.value;
      told.push(`${message} ${current}`);
    }
  })();
  await eventually(() => expect(isOpen).toBe(true));
  const redis = await connectPlainRedis(port);
  const correlation_id = agent.seen[0]?.correlation_id ?? "";
  const say = (more: object) =>
    redis.call("XADD", `${prefix}data-responses`, "*", "message", JSON.stringify({ correlation_id, ...more }));
  const steps = Array.from({ length: 20 }, (_, index) => index + 1);
  for (const step of steps) await say({ progress: { current: step, total: 20, message: `step ${step}` } });
  // Steps that nobody could be told as a number.
  await say({ progress: { current: 0.5, total: -1, message: "half" } });
  await eventually(() =>
    expect(told.toSorted()).toEqual([...steps.map((n) => `step ${n} ${n}`), "half undefined"].toSorted()),
  );
  await say({ status: "completed", output: 1 });
  await bed.reaches(runId, RunState.COMPLETED);
  await watching;
});
