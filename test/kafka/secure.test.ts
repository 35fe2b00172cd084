/** Brokers that want TLS and a login. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startKafkaBroker } from "../support/kafka-broker.ts";
import { flowRunRequest, openKafkaService } from "../support/kafka-service.ts";

const broker = await startKafkaBroker(true);
afterAll(() => broker.remove());
const service = await openKafkaService(broker.address);
afterAll(() => service.close());

const secure = `127.0.0.1:${Number(broker.address.split(":")[1]) + 2}`;
const env = {
  ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: secure,
  ORCHESTRATOR_KAFKA_TLS: "true",
  ORCHESTRATOR_KAFKA_TLS_CA_FILE: join(broker.folder, "ca.pem"),
  ORCHESTRATOR_KAFKA_SASL_USERNAME: "orchestrator",
  ORCHESTRATOR_KAFKA_SASL_PASSWORD: "secret",
};

test.each(["plain", "scram-sha-256", "scram-sha-512"])("works with TLS and %s", async (mechanism) => {
  await service.serve({ ...env, ORCHESTRATOR_KAFKA_SASL_MECHANISM: mechanism });
  const runId = randomUUID();
  await service.execute(new Set([runId]), async () => "done");
  await service.send(
    "flow_runs",
    flowRunRequest(runId, [{ id: "go", type: "queue", parameters: { handler: "work" } }]),
  );
  await service.untilCompleted([runId]);
});

test("a wrong password is named in the log, and the service goes on without Kafka", async () => {
  const { output, port } = await service.serve({
    ...env,
    ORCHESTRATOR_KAFKA_SASL_MECHANISM: "plain",
    ORCHESTRATOR_KAFKA_SASL_PASSWORD: "wrong",
  });
  await eventually(
    () => expect(output()).toMatch(/(Authentication|Invalid username or password).*Kafka cannot be read/i),
    {
      timeoutMs: 20_000,
    },
  );
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
});
