/** Systems outside that answer, and too late. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { eventually } from "../../../support/eventually.ts";
import { startRedisForTest } from "../../../support/redis-server.ts";
import type { Fault } from "./fault.ts";
import { keepCalling, startInstance } from "./service.ts";

/** Messages of a run: enough to be more than a handful. */
const MESSAGES = Array.from({ length: 130 }, (_, number) => number);

export const REDIS_BACK_LATE: Fault = {
  what: "Redis is away for some seconds, and messages to a stream wait for it",
  alerts: ["EventsBudgetBurnFast"],
  async prepare({ database: { reads }, url }) {
    const redis = await startRedisForTest();
    const service = await startInstance(url, { ORCHESTRATOR_REDIS_URL: redis.url });
    const emit = { type: "emit", parameters: { stream: "told", payload: 1 } };
    await service.register("tells", { id: "m", type: "map", parameters: { items: MESSAGES, task: emit } });
    const countWaiting = async (interval: string): Promise<number> => {
      const older = `created_at < clock_timestamp() - interval '${interval}'`;
      const { rows } = await reads.query<{ count: number }>(
        `SELECT count(*)::int4 AS count FROM orchestrator.outbox WHERE ${older}`,
      );
      return rows[0]?.count ?? 0;
    };
    // Prometheus knows a counter that begins at 0 by its first reading.
    await service.start("tells");
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        await redis.stop("SIGKILL");
        await service.start("tells");
        await eventually(
          async () => {
            const count = await countWaiting("6 s");
            if (count < MESSAGES.length) throw new Error(`${count} messages have waited for 6 s`);
          },
          { timeoutMs: 30_000 },
        );
        await redis.start();
      },
      end: async () => {},
    };
  },
};

/** A Reflex that takes its time before it finds a text harmless. */
async function serveReflex(): Promise<{ readonly url: string; slowMs: number }> {
  const reflex = { url: "", slowMs: 0 };
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const verdict = {
        ...{ request_id: "r", status: "Success", pii_detected: false, pii_matches: [], injection_detected: false },
        ...{ injection_matches: [], cache_hit: false, processing_time_ms: 1 },
      };
      setTimeout(() => response.end(JSON.stringify(verdict)), reflex.slowMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  reflex.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return reflex;
}

export const REFLEX_SLOW: Fault = {
  what: "Reflex takes 150 ms for a verdict",
  alerts: ["GateBudgetBurnFast"],
  async prepare({ url }) {
    const reflex = await serveReflex();
    const service = await startInstance(url, { ORCHESTRATOR_REFLEX_URL: reflex.url });
    // Goals only: they wait for somebody who does them, and are no runs that do not begin.
    const submit = (): Promise<unknown> => service.post("/submit", { goal: "tidy up" });
    await submit();
    let stop = async (): Promise<void> => {};
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        reflex.slowMs = 150;
        stop = keepCalling(submit, 100, 8);
      },
      end: async () => {
        await stop();
        reflex.slowMs = 0;
      },
    };
  },
};
