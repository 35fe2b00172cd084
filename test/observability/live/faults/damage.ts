/** What is gone, damaged, or refused for good. */
import { eventually } from "../../../support/eventually.ts";
import { startReceiver } from "../../../support/webhook-receiver.ts";
import type { Fault } from "./fault.ts";
import { keepCalling, startInstance } from "./service.ts";

export const RUN_DELETED: Fault = {
  what: "the row of an acknowledged run is deleted, and restored from a copy",
  alerts: ["AckedRunLost"],
  async prepare({ database: { reads }, url }) {
    const service = await startInstance(url, { ORCHESTRATOR_CANARY_INTERVAL: "1s" });
    const ended = "flow_id = 'orchestrator-canary' AND state = 'COMPLETED'";
    const newest = `SELECT * FROM orchestrator.runs WHERE ${ended} ORDER BY created_at DESC LIMIT 1`;
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        await eventually(
          async () => {
            const { count } = await reads.query(newest);
            if (count === 0) throw new Error("no canary has completed");
          },
          { timeoutMs: 30_000 },
        );
        await reads.query(`CREATE TABLE public.copy AS ${newest}`);
        await reads.query("DELETE FROM orchestrator.runs WHERE run_id IN (SELECT run_id FROM public.copy)");
      },
      end: async () =>
        void (await reads.query("INSERT INTO orchestrator.runs OVERRIDING SYSTEM VALUE SELECT * FROM public.copy")),
    };
  },
};

/** More than the alert needs. */
const DAMAGED_RUNS = 8;

export const JOURNAL_DAMAGED: Fault = {
  what: "an instance dies, and the journals of its runs are damaged",
  alerts: ["QuarantineGrowing"],
  async prepare({ database: { reads }, url }) {
    const [dying, heir] = await Promise.all([startInstance(url), startInstance(url)]);
    const tool = await startReceiver();
    tool.reply(() => "never");
    await dying.register("calls", { id: "c", type: "http", parameters: { url: tool.url } });
    let damaged: readonly string[] = [];
    return {
      metricsPorts: [heir.metricsPort],
      begin: async () => {
        damaged = await Promise.all(Array.from({ length: DAMAGED_RUNS }, () => dying.start("calls")));
        await eventually(() => {
          if (tool.received.length < DAMAGED_RUNS) throw new Error(`${tool.received.length} calls are under way`);
        });
        await dying.stop("SIGKILL");
        await reads.query("UPDATE orchestrator.journal SET records = $2 WHERE run_id = ANY($1::text[])", [
          ...[[...damaged], JSON.stringify([{ type: "none" }])],
        ]);
      },
      end: async () => {
        for (const runId of damaged) await heir.post(`/v1/runs/${runId}:terminate`, { reason: "damaged" });
      },
    };
  },
};

export const TARGET_REFUSES: Fault = {
  what: "a service that flows call refuses everything",
  alerts: ["DeadLetterQueueGrowing"],
  async prepare({ url }) {
    const tool = await startReceiver();
    const service = await startInstance(url);
    await service.register("calls", { id: "c", type: "http", parameters: { url: tool.url } });
    let stop = async (): Promise<void> => {};
    return {
      metricsPorts: [service.metricsPort],
      begin: async () => {
        tool.reply(() => 403);
        stop = keepCalling(() => service.start("calls"), 100);
      },
      end: async () => {
        await stop();
        tool.reply(() => 204);
      },
    };
  },
};
