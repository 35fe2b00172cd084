/** The service dies after an event is committed and before it is answered: its sender repeats it. */
import { expect, test } from "vitest";
import { RunState, TaskState } from "../../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TriggerService } from "../../../src/gen/orchestrator/v1/trigger_service_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { GITHUB_SECRET, post, signGithub } from "../../support/webhook-sender.ts";
import { openWorkerBed } from "../../support/worker-service.ts";

const { url } = await createTestDatabase();

const SOURCE = `flow_id: order\nsource: {type: webhook, scheme: github, secrets: ["secret://github"]}`;

const TRIGGERS = {
  plain: "start: {}",
  keyed: 'start: {run_key: "${event.body.order}"}',
  paid: 'signal: {run_key: "${event.body.order}", name: paid}',
};

const FLOW = `  tasks:
    - {id: paid, type: signal}
    - {id: again, type: signal, depends_on: [paid], parameters: {name: paid}}
`;

test("an event whose answer was lost with the process has its effect once, and is answered when it is sent again", {
  timeout: 240_000,
}, async () => {
  const bed = await openWorkerBed({ ORCHESTRATOR_SECRET_GITHUB: GITHUB_SECRET, DATABASE_URL: url });
  await bed.register("order", FLOW);
  for (const [id, action] of Object.entries(TRIGGERS))
    await bed.client.call(TriggerService.method.putTrigger, { source: `id: ${id}\n${SOURCE}\n${action}\n` });
  const send = (id: string) => {
    const body = JSON.stringify({ order: 7 });
    return post(`http://${bed.address}/v1/triggers/${id}:receive`, body, signGithub(body, `d-${id}`));
  };
  const runs = async () => (await bed.client.call(RunService.method.listRuns, {})).runs;
  const answers: Record<string, unknown> = {};
  for (const [id, count] of [
    ["plain", 1],
    ["keyed", 2],
    ["paid", 2],
  ] as const) {
    await bed.restart("SIGTERM", { ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_FAIL_POINTS: "commit.after=kill" });
    const doomed = bed.service();
    await expect(send(id), id).rejects.toThrow();
    await eventually(() => expect(doomed.child.signalCode).toBe("SIGKILL"));
    await bed.restart();
    expect(await runs(), id).toHaveLength(count);
    const [first, second] = [await send(id), await send(id)];
    expect([first.status, first.body["disposition"]], id).toEqual([200, "EVENT_DISPOSITION_APPLIED"]);
    expect(second.body).toEqual(first.body);
    expect(await runs(), id).toHaveLength(count);
    answers[id] = first.body["runId"];
  }
  // One signal has come: the run that was meant waits for the next one.
  expect(answers["paid"]).toBe(answers["keyed"]);
  const runId = String(answers["keyed"]);
  const { task } = await bed.client.call(RunService.method.getRunTask, { runId, taskId: "again" });
  expect(task?.state).toBe(TaskState.WAITING);
  await bed.client.call(RunService.method.signalRun, { runId, signalName: "paid" });
  await bed.reaches(runId, RunState.COMPLETED);
});
