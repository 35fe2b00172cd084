/** The service behind PgBouncer in transaction mode, with nothing set for it. */
import { expect, test } from "vitest";
import { openGrpcClient } from "../../src/api/client/grpc-client.ts";
import { silentLog } from "../../src/base/log.ts";
import { FlowService } from "../../src/gen/orchestrator/v1/flow_service_pb.ts";
import { RunState } from "../../src/gen/orchestrator/v1/run_pb.ts";
import { RunService } from "../../src/gen/orchestrator/v1/run_service_pb.ts";
import { openDatabase } from "../../src/store/sql/pool.ts";
import { prepared } from "../../src/store/sql/sql.ts";
import { hasPgBouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { startServeForTest } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const { url } = await createTestDatabase({ empty: true });
const direct = await createTestDatabase();
const skips = !hasPgBouncer && process.env.CI !== "true";

const FLOW = `
id: steps
version: "1"
workflow:
  tasks:
    - {id: one, type: noop}
    - {id: wait, type: signal, depends_on: [one], parameters: {name: go}}
    - {id: two, type: noop, depends_on: [wait]}
`;

// Cause: PgBouncer refused the startup parameter statement_timeout, which was shown as a database that ended the
// session; with that ignored, statements that a connection had prepared were unknown, or known already (42P05), on the
// next one.
test.skipIf(skips).each([
  ["as it is installed", {}],
  [
    "that ignores startup parameters",
    { ignore_startup_parameters: "statement_timeout,lock_timeout,idle_in_transaction_session_timeout" },
  ],
])("flows run through PgBouncer %s, with several instances and migrations", async (_name, settings) => {
  const env = { DATABASE_URL: await startPgBouncer(url, settings) };
  const first = await startServeForTest({ folder: createTemporaryFolder(), env });
  const second = await startServeForTest({ folder: createTemporaryFolder(), env });
  expect(first.output()).toContain("reached through a pooler");
  const [here, there] = [first, second].map(({ address }) => openGrpcClient({ address }));
  await here?.call(FlowService.method.registerFlow, { definition: { case: "source", value: FLOW } });
  const ids = await Promise.all(
    Array.from(
      { length: 40 },
      async () => (await here?.call(RunService.method.startRun, { flowId: "steps" }))?.run?.runId ?? "",
    ),
  );
  const states = await Promise.all(
    ids.map(async (runId) => {
      await there?.call(RunService.method.signalRun, { runId, signalName: "go" });
      return (await there?.call(RunService.method.waitRun, { runId, wait: { seconds: 20n } }))?.run?.state;
    }),
  );
  expect(new Set(states)).toEqual(new Set([RunState.COMPLETED]));
  expect(await first.stop()).toBe(0);
  const own = await there?.call(RunService.method.startRun, { flowId: "steps" });
  expect(own?.run?.state).toBeDefined();
  await Promise.all([here?.close(), there?.close()]);
});

test.skipIf(skips)(
  "behind a pooler each statement has its timeouts, and leaves nothing on the connections of others",
  async () => {
    const database = await openDatabase({
      target: await startPgBouncer(direct.url, { default_pool_size: "1" }),
      log: silentLog,
      timeouts: { statementMs: 300, lockMs: 200 },
    });
    await expect(database.reads.query("SELECT pg_sleep(2)")).rejects.toMatchObject({ code: "STORE_TIMEOUT" });
    const session = await database.openSession("test", {}, { enable_seqscan: "off" });
    const show = prepared(
      "test.show",
      "SELECT current_setting('statement_timeout') AS time, current_setting('enable_seqscan') AS scan",
    );
    expect((await session.query(show)).rows).toEqual([{ time: "300ms", scan: "off" }]);
    expect((await database.reads.query(show)).rows).toEqual([{ time: "300ms", scan: "on" }]);
    await session.close();
    const other = await openDatabase({ target: direct.url, log: silentLog });
    expect((await other.reads.query(show)).rows).toEqual([{ time: "10s", scan: "on" }]);
    // The one connection to the server is as new.
    const { rows } = await database.reads.transaction(async (runner) =>
      runner.query("SELECT source FROM pg_settings WHERE name = 'enable_seqscan'"),
    );
    expect(rows).toEqual([{ source: "default" }]);
    await Promise.all([database.close(), other.close()]);
  },
);
