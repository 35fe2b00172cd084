/**
 * Series of a service that many tenants use, some of them with bad intent: names come from outside (flows, tasks,
 * handlers, queues, limits, methods, paths, services), and Prometheus pays for each.
 */
import { connect } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import type { JsonObject } from "../../src/base/json/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { loadConfig } from "../../src/config/config.ts";
import type { StartRequest } from "../../src/engine/ports/run-control.ts";
import { startService } from "../../src/service/serve.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { noTemplates } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const TENANTS = 100;
const RUNS = 10_000;
/** Runs that are started at once. */
const TOGETHER = 200;

/** Samples of one reading. The alert MetricsCardinality begins at 30,000. */
const MOST_SAMPLES = 10_000;

/** Most samples of one metric: those of 200 handlers with their buckets. */
const MOST_OF_ONE = 4_500;

/** Each tenant names its flows, task, handler, queue, and limit as nobody else does. */
function flowsOf(n: number): readonly JsonObject[] {
  const compute = { id: `task-${n}`, type: "transform", parameters: { output: n } };
  return [
    { id: `flow-${n}`, version: "1", workflow: { tasks: [compute] } },
    {
      id: `flow-${n}-works`,
      version: "1",
      workflow: {
        tasks: [
          compute,
          {
            ...{ id: `work-${n}`, type: "worker", limit: { name: `limit-${n}`, max_concurrent: 1 } },
            parameters: { handler: `handler-${n}`, queue: `queue-${n}` },
            ...{ timeout: "1s", on_error: "continue", retry_policy: { max_retries: 1, initial_delay: "10ms" } },
          },
        ],
      },
    },
  ];
}

const startOf = (flowId: string, labels: Readonly<Record<string, string>>): StartRequest => ({
  ...{ flowId, version: "", input: {}, requestId: "", requestHash: "", runId: "", fromMessage: false, refusal: null },
  ...{ runKey: "", runKeyPolicy: "reject", labels, userId: "", correlationId: "", context: null },
  ...{ runTimeoutMs: null, startDelayMs: 0, signals: [] },
});

test("10,000 runs of 100 tenants, and names that nobody knows, keep to the bound of series", {
  timeout: 300_000,
}, async () => {
  const { url } = await createTestDatabase();
  const [port, metricsPort] = [await findFreePort(), await findFreePort()];
  const loaded = await loadConfig({
    env: {
      ...{ DATABASE_URL: url, ORCHESTRATOR_PORT: String(port), ORCHESTRATOR_METRICS_PORT: String(metricsPort) },
      ...{ ORCHESTRATOR_DATA_DIR: createTemporaryFolder(), ORCHESTRATOR_ENV_FILE: "none", ...noTemplates() },
      ORCHESTRATOR_CANARY_INTERVAL: "0",
    },
  });
  const service = await startService(loaded, silentLog);
  onTestFinished(async () => {
    service.stop();
    await service.stopped;
  });
  const { flows, runControl } = service.core;
  for (let n = 0; n < TENANTS; n += 1)
    for (const document of flowsOf(n)) await flows.registerFlow(`tenant-${n}`, { document }, false);
  for (let from = 0; from < RUNS; from += TOGETHER)
    await Promise.all(
      Array.from({ length: TOGETHER }, (_, at) => {
        const n = (from + at) % TENANTS;
        // A tenth of the runs wait for a slot, and for a worker who does not come.
        const flowId = from % 2_000 === 0 ? `flow-${n}-works` : `flow-${n}`;
        const request = startOf(flowId, { order: String(from + at) });
        return runControl.startRun({ tenantId: `tenant-${n}`, actor: `actor-${n}` }, request, 0);
      }),
    );

  // Paths, verbs, methods, and services that are not there.
  const base = `http://127.0.0.1:${port}`;
  for (let n = 0; n < 300; n += 1) {
    await fetch(`${base}/nowhere/${n}`, { method: n % 2 === 0 ? "GET" : "PROPFIND" }).then((answer) => answer.text());
    await fetch(`${base}/v1/services/service-${n}`).then((answer) => answer.text());
    await fetch(`${base}/orchestrator/tasks`, {
      ...{ method: "POST", headers: { "content-type": "application/json" } },
      body: JSON.stringify({ droplet_name: `service-${n}`, path: "/" }),
    }).then((answer) => answer.text());
  }
  const session = connect(base);
  for (let n = 0; n < 300; n += 1)
    await new Promise<void>((resolve) => {
      const stream = session.request({
        ...{ ":method": "POST", ":path": `/orchestrator.v1.Service${n}/Method${n}`, te: "trailers" },
        "content-type": "application/grpc",
      });
      stream
        .on("close", resolve)
        .on("error", () => {})
        .resume()
        .end(Buffer.alloc(5));
    });
  session.close();

  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const started = samples.find((line) => line.startsWith('orchestrator_runs_started_total{begins="now"} '));
  expect(started).toBe(`orchestrator_runs_started_total{begins="now"} ${RUNS}`);
  const sizes = Map.groupBy(samples, (line) => line.replace(/[{ ].*$/, "").replace(/_(bucket|sum|count)$/, ""));
  const large = [...sizes]
    .filter(([, lines]) => lines.length > MOST_OF_ONE)
    .map(([name, { length }]) => [name, length]);
  expect(large).toEqual([]);
  expect(samples.length).toBeLessThan(MOST_SAMPLES);
  // Nobody's name, and no run, is a label.
  expect(
    samples.filter((line) => /tenant-\d|actor-\d|flow-\d|order|nowhere|Service\d|Method\d|service-\d/.test(line)),
  ).toEqual([]);
});
