/** How many tasks agents have at once. */
import { expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { eventually } from "../support/eventually.ts";
import { openForeignAgent } from "../support/foreign-agent.ts";

const port = inject("redis");
const skips = port === 0;

const MOST = 8;
const WIDE = `  tasks:
    - id: all
      type: map
      parameters:
        items: \${range(40)}
        task: {type: data, parameters: {operation: search, n: "\${item}"}, retry_policy: {max_retries: 10, initial_delay: 0}}
`;

test.skipIf(skips)(
  "a flood of tasks goes to agents a few at a time; the others wait as rows, and none is forgotten",
  { timeout: 120_000 },
  async () => {
    const opened = await openAgentTaskBed(port, { ORCHESTRATOR_AGENTS_MAX_IN_FLIGHT: String(MOST) });
    const { bed, database } = opened;
    const rows = async () => (await database.reads.query("SELECT 1 FROM orchestrator.waiting_tasks")).rows.length;
    const open: (() => Promise<number>)[] = [];
    let most = 0;
    let failures = 10;
    const agent = await openForeignAgent(port, opened.of("data"), ({ correlation_id, parameters }, answer) => {
      open.push(() => {
        failures -= 1;
        // Some are given another attempt.
        const end = failures >= 0 ? { error: "busy" } : { status: "completed", output: parameters.n };
        return answer({ correlation_id, ...end });
      });
      most = Math.max(most, open.length);
    });
    await bed.register("wide", WIDE);
    const runId = await bed.start("wide");
    await eventually(async () => expect([open.length, await rows()]).toEqual([MOST, 40 - MOST]));
    // A new task does not go before those that wait.
    await bed.register("one", "  tasks:\n    - {id: a, type: data, parameters: {operation: search, n: 40}}\n");
    const last = await bed.start("one");
    await eventually(async () => expect([open.length, await rows()]).toEqual([MOST, 41 - MOST]));
    // One that is over makes room for others when a quarter is free.
    await open.shift()?.();
    await eventually(() => expect(agent.seen.length).toBe(MOST));
    await open.shift()?.();
    await eventually(() => expect(agent.seen.length).toBe(MOST + 2));
    await eventually(
      async () => {
        while (open.length > 0) await open.shift()?.();
        expect(agent.seen).toHaveLength(51);
      },
      { timeoutMs: 60_000 },
    );
    for (const answer of open.splice(0)) await answer();
    await bed.reaches(runId, RunState.COMPLETED);
    await bed.reaches(last, RunState.COMPLETED);
    expect(most).toBeLessThanOrEqual(MOST);
    expect(await rows()).toBe(0);
    const { outputs } = ((await bed.outputOf(runId)) as { all: { outputs: number[] } }).all;
    expect(outputs).toEqual(Array.from({ length: 40 }, (_, index) => index));
  },
);

test.skipIf(skips)("a task that is out of time makes room, although its agent says nothing", async () => {
  const opened = await openAgentTaskBed(port, { ORCHESTRATOR_AGENTS_MAX_IN_FLIGHT: "1" });
  const { bed } = opened;
  const agent = await openForeignAgent(port, opened.of("ai"));
  await bed.register("one", "  tasks:\n    - {id: a, type: ai, parameters: {prompt: x}, timeout: 3}\n");
  const runs = [await bed.start("one"), await bed.start("one")];
  await eventually(() => expect(agent.seen).toHaveLength(1));
  await eventually(() => expect(agent.seen).toHaveLength(2), { timeoutMs: 20_000 });
  for (const runId of runs) await bed.reaches(runId, RunState.FAILED);
});
