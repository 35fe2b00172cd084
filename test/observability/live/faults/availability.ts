/** Instances, and the database as a whole. */
import { expect, onTestFinished } from "vitest";
import { openLossyProxy } from "../../../integration/store/lossy-proxy.ts";
import { eventually } from "../../../support/eventually.ts";
import { findFreePort } from "../../../support/free-port.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";
import type { Fault, Monitoring, ToldAlert } from "./fault.ts";
import { startInstance } from "./service.ts";

const names = (alerts: readonly ToldAlert[]): readonly string[] =>
  alerts.map(({ labels }) => labels["alertname"] ?? "");

/** Others fire too, and tell nobody; that the monitoring itself works is told all the same. */
async function expectInhibited({ alertmanager, told }: Monitoring, follower: string): Promise<void> {
  await eventually(
    async () => {
      const alert = (await alertmanager.alerts()).find(({ labels }) => labels["alertname"] === follower);
      expect(alert?.status.state).toBe("suppressed");
    },
    { timeoutMs: 90_000, intervalMs: 200 },
  );
  expect(names(told("tickets"))).not.toContain(follower);
  expect(names(told("dead-mans-switch"))).toContain("DeadMansSwitch");
}

export const ONLY_INSTANCE_KILLED: Fault = {
  what: "the only instance is killed, and another one is started a minute later",
  alerts: ["OrchestratorDown"],
  afterwards: ["RecoveryBudgetBurnFast"],
  others: ["OrchestratorInstanceDown", "DeadMansSwitch"],
  async prepare({ database: { reads }, url }) {
    const metricsPort = await findFreePort();
    const env = { ORCHESTRATOR_METRICS_PORT: String(metricsPort) };
    const service = await startInstance(url, env);
    return {
      metricsPorts: [metricsPort],
      begin: async () => void (await service.stop("SIGKILL")),
      look: (monitoring) => expectInhibited(monitoring, "OrchestratorInstanceDown"),
      end: async () => {
        await eventually(
          async () => {
            const { count } = await reads.query(
              "SELECT FROM orchestrator.instances WHERE clock_timestamp() - expires_at > interval '31 s'",
            );
            if (count === 0) throw new Error("its shards have not been without an owner for long");
          },
          { timeoutMs: 60_000, intervalMs: 200 },
        );
        await startInstance(url, env);
      },
    };
  },
};

export const DATABASE_AWAY: Fault = {
  what: "PostgreSQL is away",
  alerts: ["DatabaseUnreachable"],
  others: ["RecoveryNotRunning"],
  async prepare({ target, url }) {
    const socket = createTemporaryFolder();
    const proxy = await openLossyProxy(socket, target);
    onTestFinished(() => proxy.close());
    const service = await startInstance(url.replace(/host=.*/, `host=${encodeURIComponent(socket)}`));
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        proxy.down = true;
      },
      look: (monitoring) => expectInhibited(monitoring, "RecoveryNotRunning"),
      end: async () => {
        proxy.down = false;
      },
    };
  },
};
