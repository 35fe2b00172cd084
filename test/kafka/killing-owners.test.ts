/** A message that kills the owner of its run, whichever instance that is, while the other one reads. */
import { randomUUID } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";
import { MOST_DEATHS, openKilledPair } from "../support/killed-pair.ts";

const kafka = await openKafkaService();
afterAll(() => kafka.close());

const TASKS = [{ id: "a", type: "transform", parameters: { output: 1 } }];

test("a message that kills the owners of its run is rejected, and no other message and no run pays for it", {
  timeout: 300_000,
}, async () => {
  const bad = `bad-${randomUUID()}`;
  const pair = await openKilledPair({ ...kafka.env, ORCHESTRATOR_FAIL_POINTS: `run.decide[${bad}]=kill` });
  const runIds = Array.from({ length: 40 }, () => randomUUID());
  const requests = runIds.map((runId) => flowRunRequest(runId, TASKS));
  await kafka.send("flow_runs", ...requests.slice(0, 20));
  await kafka.send("flow_runs", flowRunRequest(bad, TASKS), ...requests.slice(20));
  const rejected = async () =>
    (
      await kafka.database.reads.query(
        "SELECT reason, convert_from(key, 'UTF8') AS key FROM orchestrator.rejected_messages WHERE convert_from(key, 'UTF8') = $1",
        [bad],
      )
    ).rows;
  const deaths = await pair.supervise(async () => (await rejected()).length > 0, MOST_DEATHS);
  expect(deaths.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(3);
  await kafka.untilCompleted(runIds, 30_000);
  expect(await rejected()).toEqual([{ reason: "KILLS_ITS_READER", key: bad }]);
  expect(await kafka.statesOf([bad])).toEqual({});
  expect(pair.lines.filter((line) => line.includes("quarantine"))).toEqual([]);
});
