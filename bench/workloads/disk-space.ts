/**
 * What runs leave in the database: `count` 3-step runs with small payloads and as many whose input, three results, and
 * output are a kilobyte each; then what the deletion of the first gives back.
 *
 *   runBytes          tables and indexes a run, small payloads
 *   journalBytes      of it, the journal
 *   payloadShare      bytes that a byte of payload takes: the second kind of runs less the first, over their payloads
 *   deletedPerSecond  runs that an operation deletes
 *   refilledShare     growth when the deleted runs are replaced by new ones after a vacuum, as a share of the first
 *                     growth: what deletion does not make room for
 */
import pg from "pg";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { OperationAction, OperationState } from "../../src/gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../harness/figures.ts";
import { openGrpcClient } from "./grpc-client.ts";
import { startServiceProcess } from "./service-process.ts";

const BATCH = 500;
const KILOBYTE = 1_024;
/** Payloads of a run: its input, three results, and its output. */
const PAYLOADS = 5;

/** A run whose payloads are the text that it is started with. */
const flow = (id: string): string =>
  JSON.stringify({
    ...{ id, version: "1", variables: [{ name: "text", type: "string", required: true }] },
    workflow: {
      tasks: ["first", "second", "third"].map((task, index, all) => ({
        ...{ id: task, type: "noop", parameters: { output: "${text}" } },
        ...(index === 0 ? {} : { depends_on: [all[index - 1]] }),
      })),
      output: "${third.output}",
    },
  });

serveFigures(async (settings) => {
  const count = Number(settings.count);
  const databaseUrl = String(settings.databaseUrl);
  const service = await startServiceProcess({ databaseUrl });
  const client = openGrpcClient(service.port);
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  const fill = async (flowId: string, textOf: (index: number) => string): Promise<void> => {
    for (let begun = 0; begun < count; begun += BATCH) {
      const requests = Array.from({ length: BATCH }, (_, index) => ({
        flowId,
        input: { case: "inputJson" as const, value: new TextEncoder().encode(JSON.stringify({ text: textOf(index) })) },
      }));
      await client.call(RunService.method.batchStartRuns, { requests, wait: { seconds: 30n } });
    }
  };
  const sizes = async (): Promise<{ readonly all: number; readonly journal: number }> => {
    await database.query("VACUUM ANALYZE");
    const { rows } = await database.query<{ all: number; journal: number }>(
      `SELECT sum(pg_total_relation_size(c.oid))::float8 AS all,
        sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'journal%')::float8 AS journal
      FROM pg_class c WHERE c.relnamespace = 'orchestrator'::regnamespace AND c.relkind = 'r'`,
    );
    return rows[0] ?? { all: 0, journal: 0 };
  };
  try {
    for (const id of ["small", "large"])
      await client.call(FlowService.method.registerFlow, {
        definition: { case: "documentJson", value: new TextEncoder().encode(flow(id)) },
      });
    const before = await sizes();
    await fill("small", (index) => `${index}`);
    const small = await sizes();
    // Text that does not compress, as most payloads that count.
    await fill("large", () => randomText(KILOBYTE));
    const large = await sizes();
    const began = performance.now();
    const { operation } = await client.call(OperationService.method.startOperation, {
      action: OperationAction.DELETE,
      filter: 'flow_id == "small"',
    });
    await endOf(operation?.operationId ?? "");
    const deletedPerSecond = (count * 1_000) / (performance.now() - began);
    const deleted = await sizes();
    await fill("small", (index) => `${index}`);
    const refilled = await sizes();
    const runBytes = (small.all - before.all) / count;
    return {
      runs: count,
      runBytes,
      journalBytes: (small.journal - before.journal) / count,
      payloadShare: ((large.all - small.all) / count - runBytes) / (PAYLOADS * KILOBYTE),
      deletedPerSecond,
      refilledShare: (refilled.all - deleted.all) / (small.all - before.all),
    };
  } finally {
    client.close();
    await database.end();
    await service.close();
  }

  async function endOf(operationId: string): Promise<void> {
    for (;;) {
      const { operation } = await client.call(OperationService.method.waitOperation, {
        operationId,
        wait: { seconds: 30n },
      });
      if (operation?.state === OperationState.COMPLETED) return;
      if (operation?.state !== OperationState.RUNNING) throw new Error(`the deletion ended ${operation?.state}`);
    }
  }
});

function randomText(length: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array((length * 3) / 4))).toString("base64");
}
