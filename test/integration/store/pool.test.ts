import { beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { type Database, openDatabase } from "../../../src/store/sql/pool.ts";
import { prepared, preparedByIndex } from "../../../src/store/sql/sql.ts";
import { storeFailureOf } from "../../../src/store/sql/sqlstate.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";

async function catchError(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable("it should have failed"),
    (error: unknown) => error,
  );
}

describe("the pool", () => {
  let shared: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    shared = await createTestDatabase({ empty: true });
    database = shared.database;
    await database.reads.query("CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL)");
  });

  test("a statement for rows that come and go reads no whole tables, and is sent alone; others may read them", async () => {
    const text = "SELECT current_setting('enable_seqscan') AS scans";
    for (const pool of [database.reads, database.journal]) {
      expect((await pool.query(preparedByIndex("test.settings", text))).rows).toEqual([{ scans: "off" }]);
      expect((await pool.query(text)).rows).toEqual([{ scans: "on" }]);
      // Cannot run in a transaction of several steps.
      await pool.query(preparedByIndex("test.alone", "VACUUM item"));
    }
  });

  test("reads values in the product's forms", async () => {
    const { rows } = await database.reads.query(
      `SELECT 9007199254740991::int8 AS big, '2024-01-02'::date AS day, '2024-01-02T03:04:05.678Z'::timestamptz AS at,
        '{"a":[1,null]}'::jsonb AS json, 1.10::numeric AS amount, '\\x0001'::bytea AS bytes, ARRAY[1,2]::int4[] AS list, NULL AS nothing`,
    );
    expect(rows).toEqual([
      {
        big: 9007199254740991,
        day: "2024-01-02",
        at: Date.parse("2024-01-02T03:04:05.678Z"),
        json: { a: [1, null] },
        amount: "1.10",
        bytes: Buffer.from([0, 1]),
        list: [1, 2],
        nothing: null,
      },
    ]);
    await expect(database.reads.query("SELECT 9007199254740993::int8")).rejects.toThrow(/does not fit/);
  });

  test("passes arrays of every kind to unnest", async () => {
    const statement = prepared(
      "test.unnest",
      "SELECT * FROM unnest($1::text[], $2::int8[], $3::bytea[], $4::bool[]) AS t(a, b, c, d)",
    );
    const values = [
      ["x'\"\\,{}", null],
      [1, 2 ** 40],
      [Buffer.from("a\0b"), new Uint8Array([255])],
      [true, false],
    ];
    for (let round = 0; round < 2; round++) {
      const { rows, count } = await database.journal.query(statement, values);
      expect(count).toBe(2);
      expect(rows).toEqual([
        { a: "x'\"\\,{}", b: 1, c: Buffer.from("a\0b"), d: true },
        { a: null, b: 2 ** 40, c: Buffer.from([255]), d: false },
      ]);
    }
  });

  test("commits what returns and rolls back what throws", async () => {
    await database.journal.transaction((sql) => sql.query("INSERT INTO item VALUES (1, 'kept')"));
    const failed = database.journal.transaction(async (sql) => {
      await sql.query("INSERT INTO item VALUES (2, 'lost')");
      throw new Error("stop");
    });
    await expect(failed).rejects.toThrow("stop");
    expect((await database.reads.query("SELECT id FROM item")).rows).toEqual([{ id: 1 }]);
  });

  test("does not call a transaction committed whose failed statement was swallowed", async () => {
    const swallowed = database.journal.transaction(async (sql) => {
      await sql.query("INSERT INTO item VALUES (3, 'x')");
      await sql.query("SELECT 1/0").catch(() => {});
    });
    await expect(swallowed).rejects.toThrow(/nothing was committed/);
    expect((await database.reads.query("SELECT id FROM item WHERE id = 3")).rows).toEqual([]);
  });

  test("keeps the connection after an error of a statement", async () => {
    const pool = (await openDatabase({
      target: shared.target,
      log: silentLog,
      journalConnections: 1,
    })) satisfies Database;
    const pid = async () => (await pool.journal.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid;
    const before = await pid();
    const error = await catchError(pool.journal.query("INSERT INTO item VALUES (1, 'again')"));
    expect(error).toMatchObject({ code: "STORE_REJECTED", details: { sqlState: "23505" } });
    expect(storeFailureOf(error)).toMatchObject({ kind: "data", outcomeUnknown: false });
    expect(await pid()).toBe(before);
    await pool.close();
  });

  test("knows that a statement the server cancelled has not happened", async () => {
    const quick = await openDatabase({ target: shared.target, log: silentLog, timeouts: { statementMs: 100 } });
    const error = await catchError(quick.journal.query("SELECT pg_sleep(30)"));
    expect(error).toMatchObject({ code: "STORE_TIMEOUT" });
    expect(storeFailureOf(error)).toMatchObject({ kind: "timeout", outcomeUnknown: false, connectionLost: false });
    await quick.close();
  });

  test("a call that is given up ends its statement at the server, and no other", async () => {
    // The deadline of a call never reached the database: a list that nobody waited for went on for up to ten seconds.
    const one = await openDatabase({ target: shared.target, log: silentLog, readConnections: 1 });
    const running = async () => {
      const text =
        "SELECT count(*) AS count FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'";
      return (await database.reads.query<{ count: number }>(text)).rows[0]?.count;
    };
    const reason = new Error("the deadline has passed");
    for (let round = 0; round < 5; round += 1) {
      const gone = new AbortController();
      const asked = catchError(one.reads.query("SELECT pg_sleep(60)", [], gone.signal));
      await eventually(async () => expect(await running()).toBe(1));
      gone.abort(reason);
      const next = one.reads.query<{ ok: number }>("SELECT pg_sleep(0.05), 1::int4 AS ok");
      expect(await asked).toBe(reason);
      expect((await next).rows[0]?.ok).toBe(1);
      expect(await running()).toBe(0);
    }
    expect(await catchError(one.reads.query("SELECT 1", [], AbortSignal.abort(reason)))).toBe(reason);
    expect(one.reads.stats().open).toBe(1);
    await one.close();
  });

  test("tells of connections that break, idle ones too", async () => {
    const one = await openDatabase({ target: shared.target, log: silentLog, readConnections: 1 });
    let troubles = 0;
    one.onTrouble(() => {
      troubles += 1;
    });
    const { rows } = await one.reads.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await database.reads.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid ?? 0]);
    await eventually(() => expect(troubles).toBe(1));
    await catchError(one.reads.query("SELECT pg_terminate_backend(pg_backend_pid())"));
    expect(troubles).toBe(2);
    await one.close();
    expect(troubles).toBe(2);
  });

  test("closes the connection when the answer does not come, and says that the outcome is unknown", async () => {
    const quick = await openDatabase({
      target: shared.target,
      log: silentLog,
      journalConnections: 1,
      timeouts: { statementMs: 0, answerMs: 150 },
    });
    const error = await catchError(quick.journal.query("SELECT pg_sleep(30)"));
    expect(error).toMatchObject({ code: "STORE_TIMEOUT" });
    expect(storeFailureOf(error)).toMatchObject({ outcomeUnknown: true, connectionLost: true });
    // The only connection of this pool must be usable at once, and must not be the stuck one.
    expect((await quick.journal.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await quick.close();
  });

  test("says that the outcome is unknown when the session is killed under a statement, and goes on", async () => {
    const running = catchError(database.journal.query("SELECT pg_sleep(30) /* victim */"));
    await eventually(async () => {
      const { count } = await database.reads.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* victim */' AND pid <> pg_backend_pid() AND datname = current_database()",
      );
      expect(count).toBe(1);
    });
    const error = await running;
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(storeFailureOf(error)).toMatchObject({ outcomeUnknown: true });
    expect((await database.journal.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("survives that its idle connections are killed", async () => {
    const other = await openDatabase({ target: shared.target, log: silentLog });
    await Promise.all([
      other.journal.query("SELECT 1"),
      other.journal.query("SELECT 1"),
      other.reads.query("SELECT 1"),
    ]);
    await database.reads.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    await eventually(async () => expect((await other.journal.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]));
    await other.close();
  });

  test("gives up waiting for a connection in time and knows that nothing was sent", async () => {
    const narrow = await openDatabase({
      target: shared.target,
      log: silentLog,
      journalConnections: 1,
      timeouts: { connectMs: 100 },
    });
    const holding = narrow.journal.query("SELECT pg_sleep(0.4)");
    const error = await catchError(narrow.journal.query("SELECT 1"));
    expect(error).toMatchObject({ code: "STORE_TIMEOUT" });
    expect(storeFailureOf(error)).toMatchObject({ outcomeUnknown: false });
    await holding;
    await narrow.close();
  });

  test("has an unreachable database answered as STORE_UNAVAILABLE without its address", async () => {
    const nowhere = await openDatabase({ target: "postgresql://user:secret@127.0.0.1:1/db", log: silentLog });
    const error = await catchError(nowhere.reads.query("SELECT 1"));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(String(error)).not.toMatch(/127\.0\.0\.1|secret/);
    expect(storeFailureOf(error)).toMatchObject({ outcomeUnknown: false });
    await nowhere.close();
  });

  test("runs without prepared statements behind proxies that cannot have them", async () => {
    const plain = await openDatabase({
      target: shared.target,
      log: silentLog,
      prepareStatements: false,
      journalConnections: 1,
    });
    await plain.journal.query(prepared("test.plain", "SELECT $1::int AS n"), [1]);
    expect((await plain.journal.query("SELECT count(*) AS n FROM pg_prepared_statements")).rows).toEqual([{ n: 0 }]);
    await plain.close();
  });

  test("gives a session of its own with notifications and tells of its loss", async () => {
    const session = await database.openSession("test");
    const heard: string[] = [];
    const lost: string[] = [];
    session.onNotification((channel, payload) => heard.push(`${channel}:${payload}`));
    session.onLost(() => lost.push("lost"));
    await session.query("LISTEN news");
    await database.reads.query("SELECT pg_notify('news', 'hello')");
    await eventually(() => expect(heard).toEqual(["news:hello"]));
    const { rows } = await session.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await database.reads.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid ?? 0]);
    await eventually(() => expect(lost).toEqual(["lost"]));
    await session.close();
  });

  test("reports how long callers waited and how many connections there are", async () => {
    const waits: [string, number][] = [];
    const watched = await openDatabase({
      target: shared.target,
      log: silentLog,
      onWait: (pool, ms) => waits.push([pool, ms]),
    });
    await watched.journal.query("SELECT 1");
    expect(waits).toEqual([["journal", expect.any(Number)]]);
    expect(watched.journal.stats()).toMatchObject({ open: 1, idle: 1, waiting: 0 });
    await watched.close();
  });
});
