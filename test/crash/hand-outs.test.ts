/**
 * kill -9 of the instance around a hand-over, at five points: before it is committed, after that and before it is sent,
 * after it is sent and before it is acknowledged, after that, and after a report and before its answer. A worker with
 * its effects goes on through all of it. What must hold: every acknowledged start ends, every result is recorded once,
 * an effect that was made twice carries one idempotency key, and what was acknowledged is never handed out again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";
import { startWorker } from "../support/worker.ts";

const RUNS = 6;

const FLOW = `
id: handed
name: Handed out
version: "1"
variables:
  - {name: n, type: integer, required: true}
workflow:
  tasks:
    - {id: first, type: worker, parameters: {handler: double, input: "\${n}"}}
    - id: each
      type: map
      depends_on: [first]
      parameters:
        items: "\${[1, 2, 3]}"
        task: {type: worker, parameters: {handler: double, input: "\${tasks.first.output + item}"}}
  output: {each: "\${tasks.each.outputs}"}
`;

/** Where the instance dies: at a fail point, or when the worker has seen so many tasks. */
interface Point {
  readonly title: string;
  readonly failPoint?: string;
  readonly onReceived?: number;
  readonly onAcknowledged?: number;
}

const POINTS: readonly Point[] = [
  { title: "before the commit", failPoint: "commit.before=kill@7" },
  { title: "after the commit and before the send", failPoint: "effects.before=kill@7" },
  { title: "after the send and before the acknowledgement", onReceived: 5 },
  { title: "after the acknowledgement", onAcknowledged: 5 },
  { title: "after a report and before its answer", failPoint: "answer.before=kill@14" },
];

test.each(POINTS)(
  "an instance that dies $title loses nothing, and no result is recorded twice",
  {
    timeout: 120_000,
  },
  async ({ failPoint, onReceived = 0, onAcknowledged = 0 }) => {
    const folder = createFileFolder();
    const port = await findFreePort();
    const env = { ORCHESTRATOR_LOG_FORMAT: "json", ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "3s" };
    const armed = failPoint === undefined ? {} : { ORCHESTRATOR_TESTING: "true", ORCHESTRATOR_FAIL_POINTS: failPoint };
    const client = openGrpcClient({ address: `127.0.0.1:${port}` });
    onTestFinished(() => client.close());
    const unarmed = await startServe({ folder, port, env });
    await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
    await unarmed.stop();
    let service = await startServe({ folder, port, env: { ...env, ...armed } });
    onTestFinished(() => void service.child.kill("SIGKILL"));

    /** Effects by idempotency key: the fences under which they were made. */
    const effects = new Map<string, number[]>();
    /** Fences of tasks whose acknowledgement was answered. */
    const acknowledged = new Map<string, number>();
    let received = 0;
    const worker = startWorker(client, {
      double: async ({ task, acknowledge }) => {
        received += 1;
        if (received === onReceived) service.child.kill("SIGKILL");
        const outcome = await acknowledge();
        if (outcome !== TaskReportOutcome.ACCEPTED) return null;
        const { idempotencyKey, fencingToken } = task;
        if (!acknowledged.has(idempotencyKey)) acknowledged.set(idempotencyKey, fencingToken);
        // Long enough to be in the journal: written within a second.
        if (acknowledged.size === onAcknowledged) {
          await sleep(1_500);
          service.child.kill("SIGKILL");
        }
        effects.set(idempotencyKey, [...(effects.get(idempotencyKey) ?? []), fencingToken]);
        return 2 * (JSON.parse(new TextDecoder().decode(task.inputJson)) as number);
      },
    });
    onTestFinished(() => worker.kill());

    const started = new Map<string, number>();
    const died = new Promise((resolve) => service.child.once("exit", (_code, signal) => resolve(signal)));
    for (let n = 1; n <= RUNS; n += 1) {
      const request = {
        flowId: "handed",
        requestId: `start-${n}`,
        inputValue: { case: "inputJson" as const, value: new TextEncoder().encode(JSON.stringify({ n })) },
      };
      for (;;) {
        try {
          const { run } = await client.call(RunService.method.startRun, request, { timeoutMs: 2_000 });
          started.set(run?.runId ?? "", n);
          break;
        } catch {
          if (service.child.exitCode !== null || service.child.signalCode !== null)
            service = await startServe({ folder, port, env });
          else await sleep(50);
        }
      }
    }
    // A point that is never reached proves nothing.
    expect(await died).toBe("SIGKILL");
    if (service.child.signalCode !== null) service = await startServe({ folder, port, env });

    for (const [runId, n] of started) {
      const run = await eventually(
        async () => {
          const readMask = { paths: ["state", "output_json", "error"] };
          const answer = await client.call(RunService.method.getRun, { runId, readMask });
          expect(answer.run, JSON.stringify(answer.run?.error ?? {})).toMatchObject({ state: RunState.COMPLETED });
          return answer.run;
        },
        { timeoutMs: 60_000, intervalMs: 200 },
      );
      const output = run?.outputValue.case === "outputJson" ? new TextDecoder().decode(run.outputValue.value) : "";
      expect(JSON.parse(output)).toEqual({ each: [1, 2, 3].map((item) => 2 * (2 * n + item)) });
      const { events } = await client.call(RunService.method.listRunEvents, { runId, pageSize: 1_000 });
      for (const path of ["first", "each.0", "each.1", "each.2"]) {
        const of = (kind: RunEventKind) => events.filter((event) => event.taskId === path && event.kind === kind);
        expect(of(RunEventKind.TASK_COMPLETED), path).toHaveLength(1);
        const key = [...effects.keys()].find((one) => one === `${runId}/${path}/0`) ?? "";
        expect(effects.get(key)?.length ?? 0, `effects of ${key}`).toBeGreaterThan(0);
        // What was acknowledged stayed where it was.
        const dispatched = of(RunEventKind.TASK_DISPATCHED).map(({ sequence }) => sequence);
        expect(dispatched.at(-1), `last hand-over of ${path}`).toBe(acknowledged.get(key));
        expect(
          of(RunEventKind.TASK_DISPATCHED).every(({ attempt }) => attempt === 1),
          path,
        ).toBe(true);
      }
    }
    expect(started.size).toBe(RUNS);
  },
);
