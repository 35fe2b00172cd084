/** What an external database must be told, or its operator. */
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { checkDurability, requireSynchronousCommit } from "../../../src/store/sql/durability.ts";
import type { SqlRunner } from "../../../src/store/sql/sql.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database } = await createTestDatabase();

const settingOf = async (runner: SqlRunner) =>
  (await runner.query<{ value: string }>("SELECT current_setting('synchronous_commit') AS value")).rows[0]?.value;

// Durability was a matter of how the server was set: with synchronous_commit off an acknowledged change could be lost.
test("commits wait for the disk, and stricter settings stay", async () => {
  const session = await database.openSession("test");
  onTestFinished(() => session.close());
  for (const [before, after] of [
    ["off", "on"],
    ["on", "on"],
    ["remote_apply", "remote_apply"],
  ] as const) {
    await session.query(`SET synchronous_commit = ${before}`);
    await requireSynchronousCommit(session);
    expect(await settingOf(session)).toBe(after);
  }
});

test("a server that does not flush is warned of, by the name of its setting", async () => {
  const warned: unknown[] = [];
  const log = { ...silentLog, warn: (_: string, fields: unknown) => void warned.push(fields) };
  const answer = (names: string[]): SqlRunner => ({
    query: async () => ({ rows: names.map((name) => ({ name })) as never[], count: names.length }),
  });
  await checkDurability(answer([]), log);
  expect(warned).toEqual([]);
  await checkDurability(answer(["fsync"]), log);
  expect(warned).toEqual([{ settings: "fsync" }]);
});
