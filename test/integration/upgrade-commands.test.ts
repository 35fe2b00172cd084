/** `orchestrator migrate` and `orchestrator upgrade`, against a database and a service that may not migrate. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readMigrations } from "../../src/store/sql/migrate.ts";
import { findFreePort } from "../support/free-port.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { runCommand } from "../support/run-command.ts";
import { startServe } from "../support/serve-process.ts";
import { createTemporaryFolder } from "../support/temporary-folder.ts";

const { url, database } = await createTestDatabase({ empty: true });

test("a job migrates, a service that requires it starts afterwards, and its upgrade is shown and finalized", {
  timeout: 180_000,
}, async () => {
  const folder = createTemporaryFolder();
  const env = { ORCHESTRATOR_DATABASE_URL: url, ORCHESTRATOR_MIGRATIONS: "require" };
  const command = (args: readonly string[], more: Record<string, string> = {}) =>
    runCommand(args, folder, { ...env, ...more });
  const newest = readMigrations().length;
  const serve = async (dataDir: string) =>
    command(["serve"], {
      ORCHESTRATOR_PORT: String(await findFreePort()),
      ORCHESTRATOR_METRICS_PORT: String(await findFreePort()),
      ORCHESTRATOR_DATA_DIR: join(folder, dataDir),
    });

  const refused = await serve("early");
  expect(refused, refused.err).toMatchObject({ code: 5 });
  expect(refused.out + refused.err).toContain("run `orchestrator migrate up`");
  expect((await database.reads.query("SELECT to_regnamespace('orchestrator') AS found")).rows).toEqual([
    { found: null },
  ]);

  const missing = await command(["migrate", "status"]);
  expect(missing).toMatchObject({ code: 1, out: expect.stringMatching(/^schema {7}0\n/) });
  expect(missing.out.match(/^missing {6}\d{6}_\w+\.sql$/gm)).toHaveLength(newest);
  const up = await command(["migrate", "up"]);
  expect(up, up.err).toMatchObject({ code: 0, out: expect.stringContaining(`schema       ${newest}\n`) });
  expect(up.out.match(/^applied/gm)).toHaveLength(newest);
  expect(await command(["migrate", "up"])).toMatchObject({ code: 0, out: `schema       ${newest}\n` });
  expect(await command(["migrate", "status"])).toMatchObject({ code: 0 });

  const service = await startServe({ folder: join(folder, "data"), env });
  onTestFinished(async () => {
    await service.stop();
  });
  const ask = (...args: string[]) =>
    command(["upgrade", ...args, "--output", "json"], { ORCHESTRATOR_SERVER: service.address });
  const status = await ask("status");
  expect(status, status.err).toMatchObject({ code: 0 });
  const shown = JSON.parse(status.out);
  expect(shown).toMatchObject({
    state: "UPGRADE_STATE_FINALIZED",
    schemaVersion: newest,
    instances: [{ address: service.address }],
  });
  // As after an upgrade from a release that wrote less.
  await database.journal.query("UPDATE orchestrator.settings SET value = '1' WHERE name = 'journal_version'");
  const before = await command(["upgrade", "status"], { ORCHESTRATOR_SERVER: service.address });
  expect(before.out).toMatch(/^state {4}READY: finalize when/);
  const after = JSON.parse((await ask("finalize")).out);
  expect(after).toMatchObject({ state: "UPGRADE_STATE_FINALIZED", journalVersion: shown.journalVersion });
  await database.journal.query("UPDATE orchestrator.settings SET value = '99' WHERE name = 'journal_version'");
  const late = await serve("late");
  expect(late, late.err).toMatchObject({ code: 5 });
  expect(late.out + late.err).toContain("start a newer release");
});
