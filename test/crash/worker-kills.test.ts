/**
 * kill -9 at random, under load: of the instance, of a worker, of both. What workers do is counted where it has its
 * effect. Afterwards each task has had its effect at least once, always under one idempotency key and with the same
 * input, its result is recorded once, and no acknowledged start is lost.
 *
 * ORCHESTRATOR_CRASH_KILLS makes it longer, ORCHESTRATOR_CRASH_SEED repeats a campaign.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { isOrchestratorError } from "../../src/base/errors.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { createRandom } from "../oracle/random.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const KILLS = Number(process.env.ORCHESTRATOR_CRASH_KILLS ?? 12);
const CALLERS = 4;
const WORKERS = 2;
const PROGRAM = fileURLToPath(new URL("../support/effect-worker.ts", import.meta.url));

const FLOW = `
id: doubled
version: "1"
variables:
  - {name: n, type: integer, required: true}
workflow:
  tasks:
    - id: first
      type: worker
      parameters: {handler: double, input: "\${n}"}
      retry_policy: {max_retries: 50, backoff_type: fixed, initial_delay: 20ms}
    - id: each
      type: map
      depends_on: [first]
      parameters:
        items: "\${[1, 2, 3]}"
        task:
          type: worker
          parameters: {handler: double, input: "\${tasks.first.output + item}"}
          retry_policy: {max_retries: 50, backoff_type: fixed, initial_delay: 20ms}
  output: {each: "\${tasks.each.outputs}"}
`;

interface Effect {
  readonly key: string;
  readonly fence: number;
  readonly body: string;
}

/** Where workers have their effects: slow, so that many are under way when something dies. */
async function openSink() {
  const effects: Effect[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk));
    request.on("end", () => {
      effects.push(JSON.parse(text) as Effect);
      setTimeout(() => response.end(), 30);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { effects, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

test(`${KILLS} kills of instances and workers: every effect at least once, every result once`, {
  timeout: 300_000 + KILLS * 20_000,
}, async () => {
  const seed = Number(process.env.ORCHESTRATOR_CRASH_SEED ?? Date.now() % 1_000_000);
  const random = createRandom(seed);
  console.log(`ORCHESTRATOR_CRASH_SEED=${seed}`);
  const sink = await openSink();
  const folder = createFileFolder();
  const port = await findFreePort();
  const address = `127.0.0.1:${port}`;
  const env = { ORCHESTRATOR_LOG_FORMAT: "json", ORCHESTRATOR_WORKERS_SESSION_TIMEOUT: "3s" };
  let service: ServeProcess = await startServe({ folder, port, env });
  onTestFinished(() => void service.child.kill("SIGKILL"));
  const workers: ChildProcess[] = [];
  const employ = async (place: number): Promise<void> => {
    const child = spawn(process.execPath, [PROGRAM, address, sink.url], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    workers[place] = child;
    await once(child.stdout, "data");
  };
  for (let place = 0; place < WORKERS; place += 1) await employ(place);
  const client = openGrpcClient({ address });
  onTestFinished(() => client.close());
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });

  /** Repeats a call until it is answered. */
  const insist = async <T>(call: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isOrchestratorError(error) || !["UNAVAILABLE", "DEADLINE_EXCEEDED"].includes(error.grpc)) throw error;
        await sleep(20);
      }
    }
  };
  const acknowledged = new Map<string, number>();
  let next = 0;
  let stopping = false;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!stopping) {
      const n = next++;
      const inputValue = { case: "inputJson" as const, value: new TextEncoder().encode(JSON.stringify({ n })) };
      const request = { flowId: "doubled", requestId: `${seed}-${n}`, inputValue };
      const { run } = await insist(() => client.call(RunService.method.startRun, request, { timeoutMs: 5_000 }));
      acknowledged.set(run?.runId ?? "", n);
      await sleep(random.int(20, 120));
    }
  });

  const died = { instance: 0, worker: 0 };
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(random.int(300, 1_500));
    const what = random.pick(["instance", "worker", "both"] as const);
    const place = random.int(0, WORKERS - 1);
    if (what !== "worker") {
      died.instance += 1;
      service.child.kill("SIGKILL");
    }
    if (what !== "instance") {
      died.worker += 1;
      workers[place]?.kill("SIGKILL");
    }
    if (what !== "worker") {
      await service.stop("SIGKILL");
      service = await startServe({ folder, port, env });
    }
    if (what !== "instance") await employ(place);
  }
  stopping = true;
  await Promise.all(callers);

  const recorded = new Set<string>();
  for (const [runId, n] of acknowledged) {
    const run = await eventually(
      async () => {
        const readMask = { paths: ["state", "output_json", "error"] };
        const answer = await insist(() => client.call(RunService.method.getRun, { runId, readMask }));
        expect(answer.run, JSON.stringify(answer.run?.error ?? {})).toMatchObject({ state: RunState.COMPLETED });
        return answer.run;
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
    const output = run?.outputValue.case === "outputJson" ? new TextDecoder().decode(run.outputValue.value) : "";
    expect(JSON.parse(output)).toEqual({ each: [1, 2, 3].map((item) => 2 * (2 * n + item)) });
    const { events } = await client.call(RunService.method.listRunEvents, { runId, pageSize: 1_000 });
    for (const [path, input] of [
      ["first", n],
      ...[1, 2, 3].map((item) => [`each.${item - 1}`, 2 * n + item] as const),
    ] as const) {
      const of = (kind: RunEventKind) => events.filter((event) => event.taskId === path && event.kind === kind);
      expect(of(RunEventKind.TASK_COMPLETED), `results of ${runId}/${path}`).toHaveLength(1);
      const key = `${runId}/${path}/0`;
      recorded.add(key);
      const effects = sink.effects.filter((effect) => effect.key === key);
      expect(effects.length, `effects of ${key}`).toBeGreaterThan(0);
      expect(new Set(effects.map(({ body }) => body)), `inputs of ${key}`).toEqual(new Set([String(input)]));
      // Nobody but the holder of a hand-over that is in the journal has an effect.
      const handedOut = new Set(of(RunEventKind.TASK_DISPATCHED).map(({ sequence }) => sequence));
      expect(
        effects.filter(({ fence }) => !handedOut.has(fence)),
        `fences of ${key}`,
      ).toEqual([]);
    }
  }
  // A start whose answer was lost was repeated: no effect belongs to a run that nobody was told of.
  expect(sink.effects.filter(({ key }) => !recorded.has(key))).toEqual([]);
  const twice = sink.effects.length - recorded.size;
  console.log({ seed, ...died, runs: acknowledged.size, effects: sink.effects.length, twice });
  // A campaign that hit nothing proves nothing.
  expect(acknowledged.size).toBeGreaterThan(KILLS);
  expect(Math.min(died.instance, died.worker)).toBeGreaterThan(0);
});
