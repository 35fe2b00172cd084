/** A database that answers, and not as it should; an instance that hangs. */
import { onTestFinished } from "vitest";
import { openLossyProxy } from "../../../integration/store/lossy-proxy.ts";
import { eventually } from "../../../support/eventually.ts";
import type { TestDatabase } from "../../../support/postgres.ts";
import { createTemporaryFolder } from "../../../support/temporary-folder.ts";
import type { Fault } from "./fault.ts";
import { keepCalling, startInstance } from "./service.ts";

/** A session that may hold what it has locked. */
export async function openHoldingSession({ database }: TestDatabase) {
  const session = await database.openSession("holds locks", { statementMs: 0, lockMs: 0, idleInTransactionMs: 0 });
  onTestFinished(() => session.close());
  return session;
}

export const DATABASE_READ_ONLY: Fault = {
  what: "PostgreSQL fails over to a standby that refuses writes",
  alerts: ["CommitsFailing", "RecoveryNotRunning", "APIAvailabilityBudgetBurnFast"],
  async prepare(database) {
    const service = await startInstance(database.url);
    await service.register("one", { id: "n", type: "noop" });
    const session = await openHoldingSession(database);
    const failOver = async (setting: string): Promise<void> => {
      await session.query(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I ${setting}', current_database()); END $$`);
      await session.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    };
    let stop = async (): Promise<void> => {};
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        await failOver("SET default_transaction_read_only = on");
        stop = keepCalling(() => service.start("one"), 100, 5);
      },
      end: async () => {
        await stop();
        await failOver("RESET default_transaction_read_only");
      },
    };
  },
};

export const DATABASE_SLOW: Fault = {
  what: "every answer of PostgreSQL is half a second late, and 40 callers read",
  alerts: ["APILatencyBudgetBurnFast", "DbPoolExhausted"],
  async prepare({ target, url }) {
    const socket = createTemporaryFolder();
    const proxy = await openLossyProxy(socket, target);
    onTestFinished(() => proxy.close());
    const service = await startInstance(url.replace(/host=.*/, `host=${encodeURIComponent(socket)}`));
    let stop = async (): Promise<void> => {};
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        proxy.lateMs = 500;
        stop = keepCalling(() => fetch(`http://${service.address}/v1/flows`), 0, 40);
      },
      end: async () => {
        proxy.lateMs = 0;
        await stop();
      },
    };
  },
};

/** Runs that wait at the instance that hangs: enough to be more than a handful. */
const WAITING_RUNS = 130;

export const OWNER_HANGS: Fault = {
  what: "an instance hangs, and a lock on its leases keeps the other one from taking them",
  alerts: ["RecoveryBudgetBurnFast", "TimersBudgetBurnFast"],
  async prepare(database) {
    const env = { ORCHESTRATOR_LEASE_TTL: "5s", ORCHESTRATOR_MAX_LOOP_STALL: "0" };
    const start = (name: string) => startInstance(database.url, { ...env, ORCHESTRATOR_INSTANCE_ID: name });
    const [hanging, other] = await Promise.all([start("hanging"), start("other")]);
    // Late by some 20 s when the other instance has them: not late enough to be overdue.
    await hanging.register("waits", { id: "w", type: "wait", parameters: { duration: "20s" } });
    const session = await openHoldingSession(database);
    const isTrue = async (condition: string): Promise<void> => {
      const { rows } = await session.query<{ is: boolean | null }>(`SELECT (${condition}) AS is`);
      if (rows[0]?.is !== true) throw new Error(`not yet: ${condition}`);
    };
    const leases = "orchestrator.shard_leases WHERE instance_id = 'hanging'";
    await eventually(() => isTrue(`(SELECT count(*) FROM ${leases}) = 32`), { timeoutMs: 30_000 });
    return {
      metricsPorts: [other.metricsPort],
      begin: async () => {
        await Promise.all(Array.from({ length: WAITING_RUNS }, () => hanging.start("waits")));
        hanging.child.kill("SIGSTOP");
        await session.query("BEGIN");
        await session.query(`SELECT 1 FROM ${leases} FOR UPDATE`);
        const hasBeenOverFor = "SELECT clock_timestamp() - expires_at FROM orchestrator.instances WHERE instance_id";
        await eventually(() => isTrue(`(${hasBeenOverFor} = 'hanging') > interval '31 s'`), {
          ...{ timeoutMs: 60_000, intervalMs: 200 },
        });
        await session.query("ROLLBACK");
      },
      end: async () => void (await hanging.stop("SIGKILL")),
    };
  },
};
