/**
 * A minimal service for crash tests: opens the data folder in its argument, reports it on stdout, and counts up in a
 * table until it is killed.
 */
import { silentLog } from "../../src/base/log.ts";
import { openEmbeddedPostgres } from "../../src/store/embedded/embedded-postgres.ts";
import { openDatabase } from "../../src/store/sql/pool.ts";

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const [folder = "", mode = "idle"] = process.argv.slice(2);
try {
  const postgres = await openEmbeddedPostgres({ folder });
  const database = await openDatabase({ target: postgres.connection, log: silentLog });
  await database.journal.query("CREATE TABLE IF NOT EXISTS counted (n int8 PRIMARY KEY)");
  const { rows } = await database.journal.query<{ newest: number }>(
    "SELECT coalesce(max(n), 0) AS newest FROM counted",
  );
  say({ ready: true, server: postgres.pid, connection: postgres.connection, newest: rows[0]?.newest });
  let n = rows[0]?.newest ?? 0;
  while (mode === "write") {
    n++;
    await database.journal.query("INSERT INTO counted VALUES ($1)", [n]);
    say({ committed: n });
  }
  process.stdin.resume();
  process.stdin.on("end", async () => {
    await database.close();
    await postgres.close();
    process.exit(0);
  });
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  say({ failed: true, code, message });
  process.exit(1);
}
