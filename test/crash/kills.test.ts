/**
 * kill -9 at random under load: of the service, and of the service with its PostgreSQL. What is checked afterwards is
 * in RELIABILITY's words: I1 nothing acknowledged is lost, the same request id gives the same run · I2 a task's result
 * is recorded once, its effect carries one idempotency key · I3 the journal has no gap and nothing after its end · I7
 * every run ends without a hand · and the campaign was none of the empty ones.
 *
 * ORCHESTRATOR_CRASH_KILLS makes it longer, ORCHESTRATOR_CRASH_SEED repeats a campaign.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { isOrchestratorError } from "../../src/base/errors.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunEventKind } from "../../src/gen/orchestrator/v1/run_event_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { type ServeProcess, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";

const KILLS = Number(process.env.ORCHESTRATOR_CRASH_KILLS ?? 20);
const CALLERS = 12;

const flow = (sink: string): string => `
id: kills
name: Kills
version: "1"
variables:
  - {name: n, type: integer, required: true}
workflow:
  tasks:
    - id: first
      type: http
      parameters: {method: POST, url: "${sink}", body: {value: "\${n}"}}
      retry_policy: {max_retries: 50, backoff_type: fixed, initial_delay: 20ms}
    - id: each
      type: map
      parameters:
        items: "\${[1, 2, 3]}"
        task:
          type: http
          parameters: {method: POST, url: "${sink}", body: {value: "\${n * 10 + item}"}}
          retry_policy: {max_retries: 50, backoff_type: fixed, initial_delay: 20ms}
    - {id: nap, type: wait, depends_on: [first], parameters: {duration: 200ms}}
    - {id: go, type: signal, depends_on: [nap]}
    - id: last
      type: http
      depends_on: [go, each]
      parameters: {method: POST, url: "${sink}", body: {value: "\${tasks.first.output.value + 1}"}}
      retry_policy: {max_retries: 50, backoff_type: fixed, initial_delay: 20ms}
  output: {first: "\${tasks.first.output.value}", each: "\${tasks.each.outputs.map(o, o.value)}", last: "\${tasks.last.output.value}"}
`;

/** A small generator of numbers in [0, 1) that a seed repeats. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * A tool that answers `{value: value × 2}`, fails now and then, and remembers what it did under which idempotency key.
 */
async function openSink(random: () => number) {
  const effects = new Map<string, string[]>();
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk));
    request.on("end", () => {
      if (random() < 0.1) {
        response.writeHead(503).end();
        return;
      }
      const key = String(request.headers["idempotency-key"]);
      effects.set(key, [...(effects.get(key) ?? []), text]);
      const { value } = JSON.parse(text) as { value: number };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ value: value * 2 }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { effects, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/effect` };
}

test(`${KILLS} kills under load lose nothing that was acknowledged`, { timeout: 60_000 + KILLS * 15_000 }, async () => {
  const seed = Number(process.env.ORCHESTRATOR_CRASH_SEED ?? Date.now() % 1_000_000);
  const random = createRandom(seed);
  console.log(`ORCHESTRATOR_CRASH_SEED=${seed}`);
  const sink = await openSink(random);
  const folder = createFileFolder();
  const port = await findFreePort();
  const env = { ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1", ORCHESTRATOR_LOG_FORMAT: "json" };
  let service: ServeProcess = await startServe({ folder, port, env });
  onTestFinished(() => void service.child.kill("SIGKILL"));
  const client = openGrpcClient({ address: `127.0.0.1:${port}` });
  onTestFinished(() => client.close());
  await client.call(FlowService.method.registerFlow, { definition: { case: "source", value: flow(sink.url) } });

  const acknowledged = new Map<string, { readonly runId: string; readonly n: number }>();
  let next = 0;
  let stopping = false;
  let unanswered = 0;
  /** Repeats a call with one request id until it is answered: what a careful caller does. */
  const insist = async <T>(call: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isOrchestratorError(error) || (error.grpc !== "UNAVAILABLE" && error.grpc !== "DEADLINE_EXCEEDED"))
          throw error;
        unanswered += 1;
        await sleep(20);
      }
    }
  };
  const start = (n: number) =>
    client.call(
      RunService.method.startRun,
      {
        flowId: "kills",
        requestId: `${seed}-${n}`,
        inputValue: { case: "inputJson", value: new TextEncoder().encode(JSON.stringify({ n })) },
      },
      { timeoutMs: 5_000 },
    );
  const call = async (): Promise<void> => {
    while (!stopping) {
      const n = next++;
      const { run } = await insist(() => start(n));
      acknowledged.set(`${seed}-${n}`, { runId: run?.runId ?? "", n });
      const signal = { runId: run?.runId ?? "", signalName: "go", requestId: `${seed}-${n}-go` };
      await insist(() => client.call(RunService.method.signalRun, signal, { timeoutMs: 5_000 }));
      await sleep(100 * random());
    }
  };
  const callers = Array.from({ length: CALLERS }, call);

  let both = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(300 + 900 * random());
    const pidFile = join(folder, "postgres", "postgres", "data", "postmaster.pid");
    const postmaster = Number(readFileSync(pidFile, "utf8").split("\n")[0]);
    service.child.kill("SIGKILL");
    if (random() < 0.4) {
      both += 1;
      try {
        process.kill(postmaster, "SIGKILL");
      } catch {
        // The watchdog was quicker: it stops the server when the service is gone.
      }
    }
    await service.stop("SIGKILL");
    service = await startServe({ folder, port, env });
  }
  stopping = true;
  await Promise.all(callers);

  let recovered = 0;
  for (const [requestId, { runId, n }] of acknowledged) {
    const run = await eventually(
      async () => {
        const answer = await insist(() =>
          client.call(RunService.method.getRun, {
            runId,
            readMask: { paths: ["state", "sequence", "output_json", "error"] },
          }),
        );
        expect(answer.run?.state, `run ${runId}`).toBe(RunState.COMPLETED);
        return answer.run;
      },
      { timeoutMs: 60_000, intervalMs: 50 },
    );
    const output = run?.outputValue.case === "outputJson" ? new TextDecoder().decode(run.outputValue.value) : "";
    expect(JSON.parse(output)).toEqual({
      first: 2 * n,
      each: [1, 2, 3].map((item) => 2 * (10 * n + item)),
      last: 2 * (2 * n + 1),
    });

    const again = await insist(() => start(n));
    expect(again, `request ${requestId}`).toMatchObject({ started: true, run: { runId } });

    const { events } = await insist(() => client.call(RunService.method.listRunEvents, { runId, pageSize: 1_000 }));
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({ kind: RunEventKind.RUN_COMPLETED, sequence: run?.sequence });
    const completed = events.filter((event) => event.kind === RunEventKind.TASK_COMPLETED).map((event) => event.taskId);
    expect(completed.sort()).toEqual(["each", "each.0", "each.1", "each.2", "first", "go", "last", "nap"]);
    expect(events.filter((event) => event.kind === RunEventKind.SIGNAL_RECEIVED)).toHaveLength(1);
    recovered += events.filter((event) => event.kind === RunEventKind.RUN_RECOVERED).length;

    for (const path of ["first", "each.0", "each.1", "each.2", "last"]) {
      const bodies = sink.effects.get(`${runId}/${path}/0`) ?? [];
      expect(bodies.length, `effects of ${runId}/${path}`).toBeGreaterThan(0);
      expect(new Set(bodies).size, `bodies of ${runId}/${path}`).toBe(1);
    }
  }
  const twice = [...sink.effects.values()].filter((bodies) => bodies.length > 1).length;
  console.log({
    seed,
    kills: KILLS,
    withPostgres: both,
    runs: acknowledged.size,
    unanswered,
    recovered,
    effectsMadeTwice: twice,
  });
  // A campaign that hit nothing proves nothing.
  expect(acknowledged.size).toBeGreaterThan(KILLS);
  expect(unanswered).toBeGreaterThan(0);
  expect(recovered).toBeGreaterThan(0);
});
