/** What those who start the service read when the database does not let it in. */
import { randomBytes } from "node:crypto";
import { expect, inject, onTestFinished, test } from "vitest";
import type { OrchestratorError } from "../../../src/base/errors.ts";
import { silentLog } from "../../../src/base/log.ts";
import { exitCodeOf } from "../../../src/cli/exit-codes.ts";
import { explainAccess } from "../../../src/store/sql/access.ts";
import { runMigrations } from "../../../src/store/sql/migrate.ts";
import { openDatabase } from "../../../src/store/sql/pool.ts";
import { toStoreError } from "../../../src/store/sql/sqlstate.ts";
import { findFreePort } from "../../support/free-port.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { testUrl } from "../../support/test-server.ts";

const bare = createTestDatabase({ empty: true });

/** Opens what the URL names as the service does, and gives what is printed. */
async function refusalOf(url: string): Promise<OrchestratorError> {
  const database = await openDatabase({ target: url, log: silentLog });
  onTestFinished(() => database.close());
  const thrown = await runMigrations(database, silentLog).then(
    () => null,
    (error: unknown) => explainAccess(error, url),
  );
  expect(exitCodeOf(thrown, true)).toBe(5);
  return thrown as OrchestratorError;
}

function withUser(url: string, user: string): string {
  const changed = new URL(url);
  changed.username = user;
  return changed.href;
}

// Cause: refusals of the server were "the database refused the row" and left with the exit code of a bug; one that is
// not there was "the connection failed", without saying which or how to name another.
test("a database that does not exist is named, with the setting", async () => {
  const refusal = await refusalOf(testUrl(inject("postgres"), "nowhere"));
  expect(refusal.code).toBe("STORE_ACCESS_REFUSED");
  expect(refusal.message).toContain("there is no database nowhere; create it");
  expect(refusal.message).toContain("ORCHESTRATOR_DATABASE_URL");
});

test("a role that does not exist is named", async () => {
  const refusal = await refusalOf(withUser((await bare).url, "nobody_here"));
  expect(refusal.message).toContain("it does not let the role nobody_here in");
});

test("a role that may not create what is needed is told which right it lacks", async () => {
  const { database, url } = await bare;
  const role = `limited_${randomBytes(4).toString("hex")}`;
  await database.journal.query(`CREATE ROLE ${role} LOGIN`);
  onTestFinished(async () => void (await database.journal.query(`DROP ROLE ${role}`)));
  const refusal = await refusalOf(withUser(url, role));
  expect(refusal.code).toBe("STORE_ACCESS_REFUSED");
  expect(refusal.message).toMatch(new RegExp(`GRANT CREATE ON DATABASE test_[0-9a-f]+ TO ${role}`));
});

test("a server that is not there is named by host, port, database and role, and the password never", async () => {
  const port = await findFreePort();
  const refusal = await refusalOf(`postgresql://me:secret@127.0.0.1:${port}/mine`);
  expect(refusal.code).toBe("STORE_UNAVAILABLE");
  expect(refusal.message).toContain(`127.0.0.1:${port} cannot be connected to (ECONNREFUSED) (database mine, role me)`);
  expect(refusal.message).toContain("DATABASE_URL");
  expect(refusal.message).not.toContain("secret");
});

test("a wrong password is said", () => {
  const thrown = Object.assign(new Error("password authentication failed"), { severity: "FATAL", code: "28P01" });
  const refusal = explainAccess(toStoreError(thrown, "connect"), "postgresql://me:secret@db.example:6432/mine");
  expect(refusal).toMatchObject({ code: "STORE_ACCESS_REFUSED" });
  const { message } = refusal as OrchestratorError;
  expect(message).toContain("db.example:6432 refuses the service: the password for the role me is wrong");
  expect(message).not.toContain("secret");
});
