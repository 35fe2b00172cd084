/** The metrics port tells whether the brokers answer; the service is healthy without them. */
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { startKafkaBroker } from "../support/kafka-broker.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

test("brokers that are away make nothing unhealthy, and are named", async () => {
  const broker = await startKafkaBroker();
  onTestFinished(() => broker.remove());
  await broker.stop();
  const { url } = await createTestDatabase();
  const service = await startServeForTest({
    folder: createTemporaryFolder(),
    env: { DATABASE_URL: url, ORCHESTRATOR_KAFKA_BOOTSTRAP_SERVERS: broker.address },
  });
  const becomes = (state: string) =>
    eventually(
      async () => {
        const response = await fetch(`http://127.0.0.1:${service.metricsPort}/health`);
        expect(response.status).toBe(200);
        expect(await response.json()).toMatchObject({
          status: "healthy",
          missing: [],
          postgres: { state: "connected" },
          kafka: { state },
          redis: { state: "disabled" },
        });
        const metrics = await (await fetch(`http://127.0.0.1:${service.metricsPort}/metrics`)).text();
        expect(metrics).toContain(`orchestrator_connected{to="kafka"} ${state === "connected" ? 1 : 0}`);
        expect(metrics).toContain('orchestrator_connected{to="postgres"} 1');
        expect(metrics).not.toContain('orchestrator_connected{to="redis"}');
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
  await becomes("disconnected");
  const complaints = () => service.output().match(/Kafka cannot be read/g) ?? [];
  await eventually(() => expect(complaints()).toHaveLength(1), { timeoutMs: 60_000 });
  await broker.start();
  await becomes("connected");
  await broker.stop("SIGKILL");
  await becomes("disconnected");
  await eventually(() => expect(complaints()).toHaveLength(2));
  await broker.start();
  await becomes("connected");
  // Nothing breaks when a broker stands still: only silence tells.
  broker.signal("SIGSTOP");
  const since = performance.now();
  await becomes("disconnected");
  expect(performance.now() - since).toBeLessThan(8_000);
  await eventually(() => expect(service.output()).toMatch(/no answer for 3[05]00 ms/));
  broker.signal("SIGCONT");
  await becomes("connected");
});
