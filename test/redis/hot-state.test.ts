/** The state of runs in Redis as a foreign program reads it, on a real server. */
import { randomBytes } from "node:crypto";
import { expect, inject, test } from "vitest";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runRedisCommand } from "../support/redis-server.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const port = inject("redis");
const skips = port === 0;

/** A service that uses keys of its own. */
async function openBed() {
  const prefix = `t${randomBytes(4).toString("hex")}:`;
  const { url, database } = await createTestDatabase();
  const bed = await openWorkerBed({
    DATABASE_URL: url,
    ORCHESTRATOR_REDIS_URL: `redis://127.0.0.1:${port}/0`,
    ORCHESTRATOR_REDIS_KEY_PREFIX: prefix,
  });
  const keyOf = (runId: string): string => `${prefix}run:${runId}:state`;
  return {
    ...{ bed, database, keyOf },
    read: (runId: string) => JSON.parse(runRedisCommand(port, "GET", keyOf(runId)) || "null"),
  };
}

test.skipIf(skips)(
  "a run shows what it waits for, how it fails, and how it ends, in the words of its table",
  async () => {
    const { bed, database, keyOf, read } = await openBed();
    await bed.register(
      "steps",
      `  tasks:
    - {id: first, type: noop}
    - {id: wait, type: signal, depends_on: [first], parameters: {name: go}}
    - {id: bad, type: signal, depends_on: [wait], parameters: {name: never}, timeout: 0.3, on_error: continue}
    - {id: last, type: transform, depends_on: [bad], parameters: {output: 1}}
`,
    );
    const runId = await bed.start("steps");
    const rowOf = async () =>
      (
        await database.reads.query("SELECT status, error_message FROM public.flow_run_history WHERE run_id = $1", [
          runId,
        ])
      ).rows[0];
    const own = { run_id: runId, flow_id: "steps", error: null };
    const pending = { status: "PENDING", attempts: 0, error: null };
    await eventually(() =>
      expect(read(runId)).toEqual({
        ...own,
        status: "WAITING",
        tasks: {
          first: { status: "COMPLETED", attempts: expect.any(Number), error: null },
          wait: { status: "WAITING", attempts: expect.any(Number), error: null },
          bad: pending,
          last: pending,
        },
        output: null,
        updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      }),
    );
    expect(await rowOf()).toMatchObject({ status: "WAITING" });
    const ttl = Number(runRedisCommand(port, "TTL", keyOf(runId)));
    expect(ttl).toBeGreaterThan(3_500);
    expect(ttl).toBeLessThanOrEqual(3_600);
    await bed.client.call(RunService.method.signalRun, { runId, signalName: "go" });
    await bed.reaches(runId, RunState.COMPLETED);
    await eventually(() => {
      const state = read(runId);
      expect(state).toMatchObject({ ...own, status: "COMPLETED", output: expect.anything() });
      expect(state.tasks.bad).toEqual({ status: "TIMED_OUT", attempts: expect.any(Number), error: expect.any(String) });
    });
    expect(await rowOf()).toMatchObject({ status: "COMPLETED" });
  },
);

test.skipIf(skips)("a failed run has the message of its table", async () => {
  const { bed, database, read } = await openBed();
  await bed.register(
    "fails",
    `  tasks:
    - {id: no, type: transform, parameters: {output: "\${int(text)}"}}
variables:
  - {name: text, type: string}
`,
  );
  const runId = await bed.start("fails", { text: "no number" });
  await bed.reaches(runId, RunState.FAILED);
  const state = await eventually(() => {
    const found = read(runId);
    expect(found).toMatchObject({ status: "FAILED" });
    return found;
  });
  const { rows } = await database.reads.query("SELECT error_message FROM public.flow_run_history WHERE run_id = $1", [
    runId,
  ]);
  expect(state.error).toBe(rows[0]?.error_message);
});

test.skipIf(skips)(
  "every run that ends has its last state there, also when the service is stopped at once",
  async () => {
    const { bed, read } = await openBed();
    await bed.register("short", "  tasks:\n    - {id: only, type: noop}\n");
    const runIds = await Promise.all(Array.from({ length: 200 }, () => bed.start("short")));
    await Promise.all(runIds.map((runId) => bed.reaches(runId, RunState.COMPLETED)));
    await bed.service().stop();
    for (const runId of runIds) expect(read(runId)).toMatchObject({ run_id: runId, status: "COMPLETED" });
  },
);
