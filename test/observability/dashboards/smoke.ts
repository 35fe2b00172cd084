/** A little of everything that the service does, so that its metrics have something to say. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openGrpcClient } from "../../../src/api/client/grpc-client.ts";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { OperationAction } from "../../../src/gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveModels } from "../../support/model-server.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { startRedisForTest } from "../../support/redis-server.ts";
import { type ServeProcess, startServeForTest } from "../../support/serve-process.ts";
import { createTemporaryFolder } from "../../support/temporary-folder.ts";
import { openTriggeredFlow } from "../../support/triggered-flow.ts";
import { startReceiver } from "../../support/webhook-receiver.ts";
import { GITHUB_SECRET, post, signGithub } from "../../support/webhook-sender.ts";
import { startWorker } from "../../support/worker.ts";

const { url } = await createTestDatabase();

/** An instance that knows of everything but Kafka and Reflex. */
interface SmokeBed {
  readonly service: ServeProcess;
  /** Does a little of everything. Twice, so that rates have something to see. */
  work(): Promise<void>;
}

const ASK = { type: "ai", parameters: { prompt: "hello" } };

/** Flows by id: what a run of each shows. */
const flowsFor = (receiver: string): Readonly<Record<string, object>> => ({
  waits: { tasks: [{ id: "w", type: "wait", parameters: { duration: "100ms" } }] },
  // Fails, is tried again, fails for good: a dead letter.
  fails: {
    tasks: [
      {
        ...{ id: "f", type: "http", parameters: { url: `${receiver}/missing` } },
        retry_policy: { max_retries: 1, initial_delay: "50ms" },
      },
    ],
  },
  works: { tasks: [{ id: "w", type: "worker", parameters: { handler: "work" } }] },
  unserved: { tasks: [{ id: "u", type: "worker", parameters: { handler: "nobody", queue: "nobody" } }] },
  asks: { tasks: [{ id: "a", type: "ai", parameters: { prompt: "hello", cache: { ttl: "1h" } } }] },
  spends: { budget: { max_cost_usd: 0.000001 }, tasks: [{ id: "s", ...ASK }] },
  limited: {
    tasks: [{ id: "l", type: "worker", parameters: { handler: "work" }, limit: { name: "crm", max_concurrent: 1 } }],
  },
  // Has the only slot of its limit for good, and the next one waits for it.
  holds: {
    tasks: [
      {
        ...{ id: "h", type: "worker", parameters: { handler: "nobody", queue: "nobody" } },
        limit: { name: "held", max_concurrent: 1 },
      },
    ],
  },
  tells: { tasks: [{ id: "t", type: "emit", parameters: { webhook: "billing", payload: { n: 1 } } }] },
  stays: { tasks: [{ id: "s", type: "signal", parameters: { name: "never" } }] },
});

/** Starts it. */
export async function openSmokeBed(): Promise<SmokeBed> {
  const redis = await startRedisForTest();
  const models = await serveModels();
  models.script((request) => request.say("hi"));
  const receiver = await startReceiver();
  receiver.reply(({ body }) => (body === "" ? 503 : 204));
  const secrets = createTemporaryFolder();
  writeFileSync(join(secrets, "billing"), `whsec_${randomBytes(32).toString("base64")}\n`);
  const price = { input_price_per_mtok: 1, output_price_per_mtok: 2, max_output_tokens: 1_000 };
  const env = {
    ORCHESTRATOR_CANARY_INTERVAL: "2s",
    DATABASE_URL: url,
    ORCHESTRATOR_REDIS_URL: redis.url,
    ORCHESTRATOR_SECRETS_DIR: secrets,
    ORCHESTRATOR_SECRET_GITHUB: GITHUB_SECRET,
    ORCHESTRATOR_SECRET_MODELS: "key",
    ORCHESTRATOR_HTTP_ALLOW: "127.0.0.1",
    ORCHESTRATOR_WEBHOOKS_ENDPOINTS: JSON.stringify({ billing: { url: receiver.url, secret: "secret://billing" } }),
    ORCHESTRATOR_MODELS_DEFAULT_PROVIDER: "open",
    ORCHESTRATOR_MODELS_PROVIDERS: JSON.stringify({
      open: { kind: "openai", base_url: `${models.url}/v1`, api_key: "secret://models", models: { small: price } },
    }),
  };
  const service = await startServeForTest({ folder: createTemporaryFolder(), env });
  const client = openGrpcClient({ address: service.address });
  onTestFinished(() => client.close());
  const flows = flowsFor(receiver.url);
  for (const [id, workflow] of Object.entries(flows)) {
    const definition = { case: "source" as const, value: JSON.stringify({ id, version: "1", workflow }) };
    const { problems } = await client.call(FlowService.method.registerFlow, { definition });
    if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join("; "));
  }
  const worker = startWorker(client, { work: async () => ({}) });
  onTestFinished(() => worker.kill());
  const triggered = await openTriggeredFlow(service.address);
  await triggered.put(`id: plain
flow_id: told
source: {type: webhook, scheme: github, secrets: ["secret://github"]}
start: {input: {what: "\${event.body.n}"}}
`);
  let round = 0;
  return {
    service,
    async work() {
      round += 1;
      const started = Object.keys(flows).filter((flowId) => flowId !== "unserved" || round === 1);
      await Promise.all(started.map((flowId) => client.call(RunService.method.startRun, { flowId })));
      await client.call(OperationService.method.startOperation, {
        ...{ action: OperationAction.TERMINATE, filter: 'flow_id == "stays"', requestId: `smoke-${round}` },
      });
      await client.call(RunService.method.getRun, { runId: "nobody" }).catch(() => undefined);
      const base = `http://${service.address}`;
      const body = JSON.stringify({ n: round });
      await post(`${base}/v1/triggers/plain:receive`, body, signGithub(body, `d-${round}`));
      await post(`${base}/submit`, JSON.stringify({ goal: "tidy up" }), { "content-type": "application/json" });
      await fetch(`${base}/tasks/nobody`);
    },
  };
}
