/** What stands still, while the service itself is well. */
import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { startReceiver } from "../../../support/webhook-receiver.ts";
import type { Fault } from "./fault.ts";
import { keepCalling, startInstance } from "./service.ts";
import { openHoldingSession } from "./store.ts";

export const RUN_LOCKED: Fault = {
  what: "somebody holds a lock on the row of a run",
  alerts: ["RunsOverdue"],
  async prepare(database) {
    const service = await startInstance(database.url);
    await service.register("waits", { id: "w", type: "wait", parameters: { duration: "10s" } });
    const session = await openHoldingSession(database);
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        const runId = await service.start("waits");
        await session.query("BEGIN");
        const { rows } = await session.query("SELECT state FROM orchestrator.runs WHERE run_id = $1 FOR UPDATE", [
          runId,
        ]);
        expect(rows).toEqual([{ state: "WAITING" }]);
      },
      end: async () => void (await session.query("ROLLBACK")),
    };
  },
};

export const LIMIT_PAUSED: Fault = {
  what: "a limit that all runs need is paused",
  alerts: ["RunsNotProgressing"],
  async prepare({ url }) {
    const bank = await startReceiver();
    // Canaries go on, which hides nothing.
    const service = await startInstance(url, { ORCHESTRATOR_CANARY_INTERVAL: "1s" });
    const limit = { name: "bank", max_concurrent: 5 };
    await service.register("pays", { id: "p", type: "http", parameters: { url: bank.url }, limit });
    let stop = async (): Promise<void> => {};
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        await service.post("/v1/limits/bank:pause", { reason: "they are down" });
        stop = keepCalling(() => service.start("pays"), 500);
      },
      end: async () => {
        await service.post("/v1/limits/bank:resume", {});
        await stop();
      },
    };
  },
};

export const REFLEX_AWAY: Fault = {
  what: "Reflex does not answer",
  alerts: ["GateDown"],
  async prepare({ url }) {
    const reflex = await startReceiver();
    reflex.reply(() => 200);
    const service = await startInstance(url, { ORCHESTRATOR_REFLEX_URL: `http://127.0.0.1:${reflex.port}` });
    return {
      metricsPorts: [service.metricsPort],
      begin: () => reflex.close(),
      end: async () => void (await startReceiver(reflex.port)),
    };
  },
};

export const ENDPOINT_AWAY: Fault = {
  what: "the endpoint of a webhook is away",
  alerts: ["OutboxStalled"],
  async prepare({ url }) {
    const endpoint = await startReceiver();
    const service = await startInstance(url, {
      ORCHESTRATOR_SECRET_BILLING: `whsec_${randomBytes(32).toString("base64")}`,
      ORCHESTRATOR_WEBHOOKS_ENDPOINTS: JSON.stringify({ billing: { url: endpoint.url, secret: "secret://billing" } }),
    });
    await service.register("tells", { id: "t", type: "emit", parameters: { webhook: "billing", payload: 1 } });
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        await endpoint.close();
        await service.start("tells");
      },
      end: async () => void (await startReceiver(endpoint.port)),
    };
  },
};
