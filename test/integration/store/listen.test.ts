/** Announcements of all channels come over one connection. */
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { openDatabase } from "../../../src/store/sql/pool.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const { database, target } = await createTestDatabase();

const SESSIONS =
  "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'orchestrator announcements'";

// Cause: leases, queues, triggers, and topics had a connection each.
test("several channels are heard over one connection, which is opened again after it broke, and closed at the end", async () => {
  const hearing = await openDatabase({ target, log: silentLog });
  const sessions = async (): Promise<readonly number[]> =>
    (await database.reads.query<{ readonly pid: number }>(SESSIONS)).rows.map(({ pid }) => pid);
  const heard: string[] = [];
  const listen = (channel: string, name: string, pollMs?: number) =>
    hearing.listen(
      `orchestrator_${channel}`,
      (payload) => heard.push(`${name}:${payload}`),
      pollMs === undefined ? {} : { pollMs },
    );
  const tell = async (channel: string, payload: string): Promise<void> => {
    await database.reads.query(`SELECT pg_notify('orchestrator_${channel}', '${payload}')`);
  };
  const leave = [listen("a", "one"), listen("b", "two", 60_000)];
  // Whatever was announced before may have been missed.
  await eventually(() => expect(heard).toEqual(["two:"]));
  leave.push(listen("c", "three", 60_000), listen("a", "four", 60_000));
  await eventually(() => expect(heard).toEqual(["two:", "three:", "four:"]));
  await tell("a", "1");
  await tell("c", "2");
  await eventually(() => expect(heard.slice(3)).toEqual(["one:1", "four:1", "three:2"]));
  expect(await sessions()).toHaveLength(1);

  heard.length = 0;
  await database.reads.query(`SELECT pg_terminate_backend(pid) FROM (${SESSIONS}) s`);
  await eventually(() => expect(heard).toEqual(["two:", "three:", "four:"]), { timeoutMs: 15_000 });
  await tell("b", "3");
  await eventually(() => expect(heard.slice(3)).toEqual(["two:3"]));

  // One of two that hear a channel leaves, then the only one of another.
  await leave[3]?.();
  await leave[2]?.();
  await tell("c", "4");
  await tell("a", "5");
  await eventually(() => expect(heard.slice(4)).toEqual(["one:5"]));
  await Promise.all(leave.slice(0, 2).map((one) => one()));
  await eventually(async () => expect(await sessions()).toEqual([]));
  await hearing.close();
});

// Cause: the driver was given a second LISTEN while it ran the first one, of which it warns, and will refuse it.
test("channels that are listened to in one turn are heard, and the driver has nothing to warn of", async () => {
  const hearing = await openDatabase({ target, log: silentLog });
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  const heard: string[] = [];
  const listen = (name: string) => hearing.listen(`orchestrator_${name}`, () => heard.push(name), { pollMs: 60_000 });
  const first = listen("one");
  await eventually(() => expect(heard).toEqual(["one"]));
  const others = ["two", "three", "four"].map(listen);
  await eventually(() => expect(heard).toEqual(["one", "two", "three", "four"]));
  await Promise.all([first, ...others].map((leave) => leave()));
  await hearing.close();
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
