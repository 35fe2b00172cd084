/**
 * What runs leave in the database: `count` 3-step runs with small payloads and as many whose input is three texts of a
 * kilobyte, which the three tasks return; then what deletion gives back. Sizes are those after a vacuum.
 *
 *   runBytes          tables and indexes a run, small payloads
 *   journalBytes      of it, the journal
 *   requestIdBytes    what a request id of a start takes; it stays when its run is deleted
 *   payloadShare      bytes that a byte of payload (input, results, output) takes: the second kind of runs, less the
 *                     first
 *   deletedPerSecond  runs that an operation deletes
 *   tombstoneBytes    what a deleted run leaves, so that its id stays taken
 *   returnedShare     what deletion of the older half gives back to the disk, as a share of what these runs took
 *   refilledShare     growth when the deleted runs are replaced by new ones, as a share of the first growth: what
 *                     deletion does not make room for
 *   refilledAgainShare  the same when that is done once more
 *   emptiedShare      what deletion of all runs gives back to the disk, as a share of what all of them took
 *   emptiedJournalShare  the same of the journal
 *   reindexedShare    the same as emptiedShare, after the indexes of `journal`, `runs`, and `starts` were made anew
 */
import pg from "pg";
import { FlowService } from "../../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { OperationAction, OperationState } from "../../../src/gen/orchestrator/v1/operation_pb.ts";
import { OperationService } from "../../../src/gen/orchestrator/v1/operation_service_pb.ts";
import { RunService } from "../../../src/gen/orchestrator/v1/run_service_pb.ts";
import { serveFigures } from "../../harness/figures.ts";
import { openGrpcClient } from "../grpc-client.ts";
import { startServiceProcess } from "../service-process.ts";

const BATCH = 500;
const KILOBYTE = 1_024;
/** Texts in the payloads of a run: three of its input, three results, and its output. */
const TEXTS = 7;
const NAMES = ["first", "second", "third"];

/** Bytes of all tables with their indexes, of the journal, and of the keys of starts. */
interface Sizes {
  readonly all: number;
  readonly journal: number;
  readonly starts: number;
}

/** Each task returns a text of the input. */
const flow = (id: string): string =>
  JSON.stringify({
    ...{ id, version: "1", variables: NAMES.map((name) => ({ name, type: "string", required: true })) },
    workflow: {
      tasks: NAMES.map((task, index) => ({
        ...{ id: task, type: "noop", parameters: { output: `\${vars.${task}}` } },
        ...(index === 0 ? {} : { depends_on: [NAMES[index - 1]] }),
      })),
      output: "${tasks.third.output}",
    },
  });

serveFigures(async (settings) => {
  const count = Number(settings.count);
  const databaseUrl = String(settings.databaseUrl);
  const service = await startServiceProcess({ databaseUrl });
  const client = openGrpcClient(service.port);
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    for (const id of ["small", "large"])
      await client.call(FlowService.method.registerFlow, {
        definition: { case: "documentJson", value: new TextEncoder().encode(flow(id)) },
      });
    const before = await readSizes();
    await fill("small", () => "text");
    const small = await readSizes();
    // Text that does not compress, as most payloads that count.
    await fill("large", () => randomText(KILOBYTE), true);
    const large = await readSizes();
    const began = performance.now();
    await deleteRuns('flow_id == "small"');
    const deletedPerSecond = (count * 1_000) / (performance.now() - began);
    const deleted = await readSizes();
    await fill("small", () => "text");
    const refilled = await readSizes();
    await deleteRuns('flow_id == "small"');
    const deletedAgain = await readSizes();
    await fill("small", () => "text");
    const full = await readSizes();
    await deleteRuns('state == "COMPLETED"');
    // Operations end up in the partition of the day, too, and are removed after their retention.
    await database.query(
      "DELETE FROM orchestrator.journal j USING orchestrator.operations o WHERE j.run_id = o.operation_id",
    );
    const emptied = await readSizes();
    for (const table of ["journal", "runs", "starts"]) await database.query(`REINDEX TABLE orchestrator.${table}`);
    const reindexed = await readSizes();
    const taken = small.all - before.all;
    const runBytes = taken / count;
    const requestIdBytes = (large.starts - small.starts) / count;
    return {
      runs: count,
      runBytes,
      journalBytes: (small.journal - before.journal) / count,
      requestIdBytes,
      payloadShare: ((large.all - small.all) / count - runBytes - requestIdBytes) / (TEXTS * KILOBYTE),
      deletedPerSecond,
      tombstoneBytes: (deleted.starts - large.starts) / count,
      returnedShare: (large.all - deleted.all) / taken,
      refilledShare: (refilled.all - deleted.all) / taken,
      refilledAgainShare: (full.all - deletedAgain.all) / taken,
      emptiedShare: (full.all - emptied.all) / (full.all - before.all),
      emptiedJournalShare: (full.journal - emptied.journal) / (full.journal - before.journal),
      reindexedShare: (full.all - reindexed.all) / (full.all - before.all),
    };
  } finally {
    client.close();
    await database.end();
    await service.close();
  }

  async function fill(flowId: string, textOf: () => string, withIds = false): Promise<void> {
    for (let begun = 0; begun < count; begun += BATCH) {
      const requests = Array.from({ length: BATCH }, () => {
        const input = JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, textOf()])));
        return {
          flowId,
          inputValue: { case: "inputJson" as const, value: new TextEncoder().encode(input) },
          requestId: withIds ? crypto.randomUUID() : "",
        };
      });
      const { results } = await client.call(RunService.method.batchStartRuns, { requests, wait: { seconds: 30n } });
      for (const { result } of results)
        if (result.case !== "run") throw new Error(`BatchStartRuns: ${JSON.stringify(result.value)}`);
    }
  }

  async function readSizes(): Promise<Sizes> {
    await database.query("VACUUM ANALYZE");
    const { rows } = await database.query<Sizes>(
      `SELECT sum(pg_total_relation_size(c.oid))::float8 AS all,
        sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'journal%')::float8 AS journal,
        sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname = 'starts')::float8 AS starts
      FROM pg_class c WHERE c.relnamespace = 'orchestrator'::regnamespace AND c.relkind = 'r'`,
    );
    return rows[0] ?? { all: 0, journal: 0, starts: 0 };
  }

  async function deleteRuns(filter: string): Promise<void> {
    const started = await client.call(OperationService.method.startOperation, {
      action: OperationAction.DELETE,
      filter,
    });
    const operationId = started.operation?.operationId ?? "";
    for (;;) {
      const { operation } = await client.call(OperationService.method.waitOperation, {
        operationId,
        wait: { seconds: 30n },
      });
      if (operation?.state === OperationState.COMPLETED && operation.failedCount === 0) return;
      if (operation?.state !== OperationState.RUNNING) throw new Error(`the deletion ended ${operation?.state}`);
    }
  }
});

function randomText(length: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array((length * 3) / 4))).toString("base64");
}
