/** Upgrades, in PostgreSQL. */
import { fail } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { InstanceRelease, Upgrades, UpgradeView } from "../engine/ports/instances/upgrades.ts";
import { readSchemaVersion } from "./sql/migrate.ts";
import type { Database } from "./sql/pool.ts";
import { prepared, type SqlRunner } from "./sql/sql.ts";

const READ_JOURNAL = prepared(
  "upgrades.journal",
  "SELECT value::int AS version FROM orchestrator.settings WHERE name = 'journal_version'",
);
const READ_INSTANCES = prepared(
  "upgrades.instances",
  `SELECT instance_id AS "instanceId", address, coalesce(release, '') AS release, reads::int
  FROM orchestrator.instances WHERE expires_at > clock_timestamp() ORDER BY instance_id`,
);
const RAISE_JOURNAL = prepared(
  "upgrades.raise",
  "UPDATE orchestrator.settings SET value = $1 WHERE name = 'journal_version'",
);

/** Creates the port. */
export function createUpgrades(database: Database, log: Log): Upgrades {
  return {
    view: () => view(database.reads),
    finalize: async (by) => {
      const session = await database.openSession("upgrade");
      try {
        await session.query("BEGIN");
        // Instances that register wait for this lock, and read the version afterwards.
        await session.query("SELECT FROM orchestrator.settings WHERE name = 'journal_version' FOR UPDATE");
        const before = await view(session);
        const { newest, instances } = before;
        const behind = instances.find(({ reads }) => reads < newest);
        if (behind !== undefined) {
          const { instanceId: instance, release, reads } = behind;
          fail("UPGRADE_INCOMPLETE", { instance, release: release || "an older release", reads, newest });
        }
        if (newest > before.journal) await session.query(RAISE_JOURNAL, [String(newest)]);
        await session.query("COMMIT");
        if (newest > before.journal) log.info("upgrade finalized", { journal: newest, by });
        return { ...before, journal: Math.max(newest, before.journal) };
      } finally {
        await session.close();
      }
    },
  };
}

/** The version of the journal's format that the database is finalized to. */
export async function readJournalVersion(runner: SqlRunner): Promise<number> {
  const { rows } = await runner.query<{ version: number }>(READ_JOURNAL);
  return rows[0]?.version ?? 0;
}

async function view(runner: SqlRunner): Promise<UpgradeView> {
  const { version: schema, minReader } = await readSchemaVersion(runner);
  const journal = await readJournalVersion(runner);
  const { rows: instances } = await runner.query<InstanceRelease>(READ_INSTANCES);
  const newest = Math.max(journal, ...instances.map(({ reads }) => reads));
  return { schema, minReader, journal, newest, instances };
}
