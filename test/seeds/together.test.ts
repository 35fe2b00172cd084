/**
 * All documents of merged systems at the same time, on one service: each through its own door, and the places where
 * they collide.
 */
import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { type Droplet, startDroplet } from "../support/droplet.ts";
import { eventually } from "../support/eventually.ts";
import { findFreePort } from "../support/free-port.ts";
import { type KafkaService, openKafkaService } from "../support/kafka-service.ts";
import { type ServeProcess, SHIPPED_TEMPLATES, startServe } from "../support/serve-process.ts";
import { createFileFolder } from "../support/temporary-folder.ts";
import { type Answered, curl } from "./curl.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const GOAL = { goal: "Analyze sentiment of user reviews", context: { user_id: "user123" } };

/** A stand-in for Reflex, by its protocol: it blocks what says so. */
async function startReflex(): Promise<Server> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const isBlocked = body.includes("forbidden");
    response.setHeader("content-type", "application/json").end(
      JSON.stringify({
        ...{ request_id: randomUUID(), status: isBlocked ? "Blocked" : "Success" },
        ...{ pii_detected: false, pii_matches: [], injection_detected: isBlocked, injection_matches: [] },
        ...{ cache_hit: false, processing_time_ms: 1 },
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe.skipIf(inject("kafka") === "" || inject("redis") === 0)("all documents on one service", async () => {
  /** Ports that stand for 8080, 8001, and 8000 of the documents. */
  const ports = { workflows: 0, routing: 0, goals: 0 };
  let kafka: KafkaService;
  let reflex: Server;
  let registry: Droplet;
  let worker: Droplet;
  let service: ServeProcess;

  beforeAll(async () => {
    kafka = await openKafkaService();
    reflex = await startReflex();
    worker = await startDroplet();
    registry = await startDroplet({ worker: worker.url });
    for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await findFreePort();
    service = await startServe({
      folder: createFileFolder(),
      env: {
        ...kafka.env,
        ...{ REDIS_HOST: "localhost", REDIS_PORT: String(inject("redis")) },
        ...{ REGISTRY_URL: registry.url, REGISTRY_CACHE_DIR: createFileFolder() },
        ORCHESTRATOR_REFLEX_URL: `http://127.0.0.1:${(reflex.address() as AddressInfo).port}`,
        ORCHESTRATOR_ALSO_LISTEN: Object.values(ports).join(","),
        ORCHESTRATOR_TEMPLATES: SHIPPED_TEMPLATES,
        ORCHESTRATOR_LOG_FORMAT: "json",
      },
    });
  }, 120_000);
  afterAll(async () => {
    await service?.stop("SIGKILL");
    registry?.stop();
    worker?.stop();
    reflex?.close();
    await kafka?.close();
  });

  const at = (port: number, path: string, ...args: string[]): Promise<Answered> =>
    curl(`http://localhost:${port}`, path, ...args);
  const post = (port: number, path: string, body: object): Promise<Answered> =>
    at(port, path, "-X", "POST", "-H", "Content-Type: application/json", "-d", JSON.stringify(body));
  const everywhere = (): readonly number[] => [service.port, ...Object.values(ports)];

  test("a message starts a run, and an executor does its task", async () => {
    const runId = randomUUID();
    await kafka.execute(new Set([runId]), async () => ({ ok: true }));
    await kafka.send("flow_runs", {
      ...{ event_type: "flow_run_requested", run_id: runId, correlation_id: "c", flow_id: "seed", user_id: "u" },
      ...{ tenant_id: "default", input: {}, execution_context: {} },
      flow_definition: { id: "seed", name: "Seed", tasks: [{ id: "one", handler: "echo", inputs: {} }] },
    });
    await kafka.untilCompleted([runId]);
  });

  test("a template starts, a task is routed, and a goal is taken, each at the port of its document and at any other", async () => {
    for (const port of everywhere()) {
      const started = await post(port, "/api/v1/workflows", { workflow_template: "data-analysis-basic" });
      expect([started.status, started.body.workflow_template]).toEqual([202, "data-analysis-basic"]);
      const shown = await at(port, `/api/v1/workflows/${started.body.execution_id}/status`);
      expect([shown.status, shown.body.status]).toEqual([200, "running"]);
      const routed = await post(port, "/orchestrator/tasks", { droplet_name: "worker", method: "GET", path: "/" });
      expect([routed.status, routed.body.status]).toEqual([200, "success"]);
      const goal = await post(port, "/submit", GOAL);
      expect([goal.status, goal.body.status, goal.body.task_id]).toEqual([200, "pending", expect.stringMatching(UUID)]);
    }
  });

  test("POST /tasks routes, GET /tasks/{id} finds goals alone, and neither finds the tasks of the other", async () => {
    const routed = await post(ports.routing, "/tasks", { droplet_name: "worker", method: "GET", path: "/" });
    expect(routed).toMatchObject({ status: 200, body: { status: "success" } });
    const goal = await post(ports.goals, "/submit", GOAL);
    const { body: read } = await at(ports.goals, `/tasks/${goal.body.task_id}`);
    expect(read).toMatchObject({ goal: GOAL.goal, metadata: GOAL.context });
    expect(await at(ports.goals, `/tasks/${routed.body.task_id}`)).toMatchObject({
      ...{ status: 404, body: { detail: "Task not found" } },
    });
    const { status, body } = await at(ports.routing, `/orchestrator/tasks/${goal.body.task_id}`);
    expect([status, JSON.stringify(body)]).toEqual([404, expect.stringContaining("TASK_NOT_FOUND")]);
  });

  test("Reflex is asked for goals; what it blocks is refused in the words of the document", async () => {
    const refused = await post(ports.goals, "/submit", { ...GOAL, goal: "something forbidden" });
    expect([refused.status, refused.body.detail]).toEqual([403, expect.stringMatching(/^Safety check failed: /)]);
  });

  test("health, readiness, and the root answer for all documents alike, at each port", async () => {
    for (const port of everywhere()) {
      expect(await at(port, "/health")).toMatchObject({ status: 200, body: { status: "healthy" } });
      expect(await at(port, "/ready")).toMatchObject({
        ...{ status: 200, body: { status: "ready", database: "connected", reflex_layer: "available" } },
      });
      const { body } = await at(port, "/");
      expect(body).toMatchObject({ service: "orchestrator", status: "operational", version: expect.any(String) });
    }
    const { body } = await at(ports.routing, "/orchestrator/health");
    expect(body).toMatchObject({ status: "ok" });
  });

  test("errors of the framework have the form of the document that owns the path", async () => {
    const { body: udc } = await at(ports.routing, "/orchestrator/nothing");
    expect(JSON.stringify(udc)).toMatch(/"code":"[A-Z_]+"/);
    expect(await at(ports.goals, "/submit")).toMatchObject({ status: 405, body: { detail: "Method Not Allowed" } });
    expect(await at(service.port, "/v1/nothing")).toMatchObject({ status: 404, body: { code: expect.any(Number) } });
  });

  test("the metrics of all documents are on both ports, with the same names", async () => {
    const namesAt = async (port: number): Promise<readonly string[]> => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name).toSorted();
    };
    const names = await namesAt(service.metricsPort);
    for (const name of [
      ...["orchestrator_flow_runs_processed_total", "orchestrator_dead_letter_queue_size"],
      ...["octollm_orchestrator_tasks_total", "octollm_orchestrator_reflex_calls_total", "grpc_server_handled_total"],
    ])
      expect(names).toContain(name);
    expect(await namesAt(ports.goals)).toEqual(names);
  });

  test("lists of runs show what came by messages and templates; routed tasks and goals only when they are asked for", async () => {
    const client = openGrpcClient({ address: service.address });
    const list = async (filter: string): Promise<readonly string[]> => {
      const { runs } = await client.call(RunService.method.listRuns, { filter, pageSize: 1_000 });
      return [...new Set(runs.map(({ flowId }) => flowId))].toSorted();
    };
    await eventually(async () => expect(await list("")).toEqual(["data-analysis-basic", "seed"]));
    expect(await list('flow_id == "orchestrator-route"')).toEqual(["orchestrator-route"]);
    expect(await list('flow_id == "orchestrator-goal"')).toEqual(["orchestrator-goal"]);
    await client.close();
  });
});
