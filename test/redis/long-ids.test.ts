/** Ids of the greatest length, over the channels and the Streams of agents. */
import { expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { openAgentTaskBed } from "../support/agent-tasks.ts";
import { findAgentProblems } from "../support/agents.ts";
import { eventually } from "../support/eventually.ts";
import { connectPlainRedis, openForeignAgent, type SeenRequest } from "../support/foreign-agent.ts";
import { LONG_CORRELATION_ID, LONG_OUTPUT, LONG_PLACES, LONG_RUN_ID, startLongRun } from "../support/long-ids.ts";
import { runRedisCommand } from "../support/redis-server.ts";

const port = inject("redis");

/** An agent that reads a Stream as a group and answers on one. */
async function openStreamAgent(
  { requests, responses }: { readonly requests: string; readonly responses: string },
  answerTo: (request: SeenRequest) => object,
): Promise<void> {
  const redis = await connectPlainRedis(port);
  await redis.call("XGROUP", "CREATE", requests, "g", "0", "MKSTREAM");
  const read = ["XREADGROUP", "GROUP", "g", "me", "COUNT", "1", "BLOCK", "0", "STREAMS", requests, ">"];
  const work = async (): Promise<void> => {
    for (;;) {
      const [[, entries] = []] = (await redis.call(...read)) as [string, [string, string[]][]][];
      for (const [id, [, text = ""]] of entries ?? []) {
        await redis.call("XADD", responses, "*", "message", JSON.stringify(answerTo(JSON.parse(text))));
        await redis.call("XACK", requests, "g", id);
      }
    }
  };
  // The connection ends with the test.
  void work();
}

test.skipIf(port === 0).each([
  ["channels", {}],
  ["Streams", { ORCHESTRATOR_AGENTS_DATA_REQUESTS: "stream:data-requests" }],
])("the longest ids pass over %s, with children, a second visit, and a child run", async (_, env) => {
  const opened = await openAgentTaskBed(port, env);
  const { bed, prefix } = opened;
  const seen: SeenRequest[] = [];
  const answerTo = (request: SeenRequest): object => {
    seen.push(request);
    return { correlation_id: request.correlation_id, status: "completed", output: seen.length };
  };
  if (Object.keys(env).length > 0) await openStreamAgent(opened.of("data"), answerTo);
  else await openForeignAgent(port, opened.of("data"), (request, answer) => void answer(answerTo(request)));
  await startLongRun(bed.client, { type: "data", parameters: { operation: "count" } });
  await bed.reaches(LONG_RUN_ID, RunState.COMPLETED);
  expect(await bed.outputOf(LONG_RUN_ID)).toEqual(LONG_OUTPUT);
  expect(seen.map(({ execution_id, task_id }) => `${execution_id} ${task_id}`)).toEqual(LONG_PLACES);
  for (const request of seen) {
    expect(findAgentProblems("request", request)).toBe("");
    expect(request.workflow_correlation_id).toBe(LONG_CORRELATION_ID);
    // A child of a run whose id has more than 90 characters has the longest token of all.
    expect(request.correlation_id.length).toBeLessThanOrEqual(request.execution_id === LONG_RUN_ID ? 128 : 144);
  }
  await eventually(() => {
    const state = runRedisCommand(port, "GET", `${prefix}run:${LONG_RUN_ID}:state`);
    const tasks = Object.keys((JSON.parse(state) as { readonly tasks: object }).tasks);
    expect(tasks).toEqual(expect.arrayContaining(LONG_PLACES.slice(0, 4).map((place) => place.split(" ")[1])));
  });
});
