/** Workers that stand still, and many workers at once. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { TaskReportOutcome } from "../../src/gen/orchestrator/v1/worker_pb.ts";
import { WorkerService } from "../../src/gen/orchestrator/v1/worker_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { type HeldTasks, holdTasks } from "../support/held-tasks.ts";
import { openWorkerBed } from "../support/worker-service.ts";

const PROGRAM = fileURLToPath(new URL("../support/worker-program.ts", import.meta.url));

/** A worker as a process, and what it has printed. */
function spawnWorker(address: string) {
  const child = spawn(process.execPath, [PROGRAM, address], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const printed: unknown[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => printed.push(JSON.parse(line)));
  return { child, printed };
}

test("a worker that stood still beyond its heartbeat learns that its task went on, and works again", {
  timeout: 120_000,
}, async () => {
  const bed = await openWorkerBed();
  await bed.register(
    "beating",
    `  tasks:
    - {id: only, type: worker, parameters: {handler: hold}, heartbeat_timeout: 1s,
       retry_policy: {max_retries: 1, initial_delay: 0}}
`,
  );
  const { child, printed } = spawnWorker(bed.address);
  const first = await bed.start("beating");
  await eventually(() => expect(printed).toEqual([{ runId: first, attempt: 1 }]), { timeoutMs: 30_000 });
  child.kill("SIGSTOP");
  const other = await holdTasks(bed.client, ["hold"]);
  const again = await other.next();
  expect(again).toMatchObject({ runId: first, attempt: 2 });
  child.kill("SIGCONT");
  child.stdin.write("report\n");
  await eventually(() => expect(printed.at(-1)).toEqual({ outcome: TaskReportOutcome.OUTDATED }), {
    timeoutMs: 30_000,
  });
  await other.report(again.taskToken, "succeeded");
  await bed.reaches(first, RunState.COMPLETED);
  // Each slot is free again.
  await eventually(async () => {
    const { workers } = await bed.client.call(WorkerService.method.listWorkers, {});
    const free = workers.map(({ freeSlotCount, heldCount }) => [freeSlotCount, heldCount]);
    expect(free.sort()).toEqual([
      [1, 0],
      [8, 0],
    ]);
  });
  await bed.client.call(WorkerService.method.reportTasks, { sessionId: other.sessionId, closing: true });
  const second = await bed.start("beating");
  await eventually(() => expect(printed.at(-1)).toEqual({ runId: second, attempt: 1 }), { timeoutMs: 30_000 });
});

/** Workers, and connections that they share. */
const WORKERS = 1_000;
const CONNECTIONS = 20;

test("a thousand workers that connect at once get a task each, beside one that never reads", {
  timeout: 240_000,
}, async () => {
  const bed = await openWorkerBed();
  const items = JSON.stringify(Array.from({ length: WORKERS }, (_, index) => index));
  await bed.register(
    "wide",
    `  tasks:
    - id: each
      type: map
      parameters: {items: ${items}, task: {type: worker, parameters: {handler: hold, input: "\${item}"}}}
  output: "\${size(each.outputs)}"
`,
  );
  const deaf = await bed.client.call(WorkerService.method.registerWorker, {
    name: "deaf",
    handlers: ["hold"],
    slots: 10,
  });
  const request = { sessionId: deaf.sessionId };
  const unread = bed.client.stream(WorkerService.method.pollTasks, request)[Symbol.asyncIterator]();
  // The call is made, and nothing of its answer is read.
  unread.next().catch(() => {});
  const clients = Array.from({ length: CONNECTIONS }, () => openGrpcClient({ address: bed.address }));
  onTestFinished(async () => void (await Promise.all(clients.map((client) => client.close()))));
  const connect = async (index: number): Promise<HeldTasks> => {
    const client = clients[index % CONNECTIONS] as (typeof clients)[number];
    return eventually(() => holdTasks(client, ["hold"], 1), { timeoutMs: 60_000 });
  };
  const workers = await Promise.all(Array.from({ length: WORKERS }, (_, index) => connect(index)));
  const runId = await bed.start("wide");
  const done = new Set<string>();
  const work = async (worker: HeldTasks): Promise<void> => {
    while (done.size < WORKERS) {
      const task = await worker.next().catch(() => null);
      if (task === null) return;
      await worker.report(task.taskToken, "succeeded");
      done.add(task.idempotencyKey);
    }
  };
  const working = workers.map(work);
  await bed.reaches(runId, RunState.COMPLETED);
  expect(await bed.outputOf(runId)).toBe(WORKERS);
  expect(done.size).toBe(WORKERS);
  for (const worker of workers) worker.close();
  await Promise.all(working);
});
