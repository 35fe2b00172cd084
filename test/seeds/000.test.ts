/**
 * The document of seed 000, executed: its variables, messages, tables, metrics, and promises, with the clients that its
 * users have. What it cannot hold is in docs/seeds.md.
 */
import { describe, expect, test } from "vitest";
import { PYTHON_MISSING } from "../clients/python-environment.ts";
import { createSeedBed } from "./000/bed.ts";

const task = (id: string, handler: string, more: object = {}): object => ({ id, handler, ...more });
const flow = (...tasks: object[]): object => ({ flow_definition: { id: "seed", name: "Seed", tasks } });

describe.skipIf(PYTHON_MISSING)("seed 000", async () => {
  const bed = await createSeedBed();

  test("a flow that comes with its event runs, and a task message has the fields of the document", async () => {
    const inputs = { n: "${who}" };
    const limits = { max_retries: 3, timeout: 300 };
    const definition = flow(
      task("first", "echo", { inputs, ...limits }),
      task("second", "echo", { depends_on: ["first"], ...limits }),
    );
    const runId = await bed.request({ ...definition, input: { who: "Ada" } });
    expect(await bed.ended(runId)).toMatchObject({ status: "COMPLETED", input_data: { who: "Ada" } });
    const [first, second] = await bed.read("task_queue", runId, 2);
    expect(first?.value).toEqual({
      ...{
        run_id: runId,
        task_id: "first",
        handler: "echo",
        inputs: { n: "Ada" },
        attempt: 0,
        max_retries: 3,
        timeout: 300,
      },
      ...{ correlation_id: "c-1", tenant_id: "default", user_id: "user-1", execution_context: { source: "test" } },
      fencing_token: expect.any(Number),
    });
    expect(second?.value).toMatchObject({ task_id: "second", inputs: { first: { saw: { n: "Ada" } } } });
  });

  test("a registered flow runs by its id", async () => {
    const source = {
      id: "registered",
      workflow: { tasks: [{ id: "t", type: "queue", parameters: { handler: "echo" } }] },
    };
    const body = JSON.stringify({ source: JSON.stringify(source) });
    const registered = bed.curl("--json", body, `http://localhost:${bed.service.port}/v1/flows`);
    expect(registered).toContain('"registered"');
    const runId = await bed.request({ flow_id: "registered" });
    expect(await bed.ended(runId)).toMatchObject({ flow_id: "registered", status: "COMPLETED" });
  });

  test("a failed task is tried again after base^n seconds, with the next attempt", async () => {
    const runId = await bed.request(flow(task("flaky", "echo", { inputs: { fails: 2 }, max_retries: 3 })));
    expect(await bed.ended(runId)).toMatchObject({ status: "COMPLETED" });
    const sent = await bed.read("task_queue", runId, 3);
    expect(sent.map(({ value }) => value.attempt)).toEqual([0, 1, 2]);
    const [first = 0, second = 0, third = 0] = sent.map(({ sent_at }) => sent_at);
    expect(second - first).toBeGreaterThanOrEqual(2_000);
    expect(third - second).toBeGreaterThanOrEqual(4_000);
  });
});
