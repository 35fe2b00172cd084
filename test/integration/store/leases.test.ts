/** Shards and their owners, in SQL. */
import { hostname } from "node:os";
import { afterEach, describe, expect, test } from "vitest";
import type { Leases } from "../../../src/engine/ports/leases.ts";
import { hostId, openLeases } from "../../../src/store/leases.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestDatabase } from "../../support/postgres.ts";

const SHARDS = 8;

const { database } = await createTestDatabase();

let counter = 0;

afterEach(async () => {
  await sql("TRUNCATE orchestrator.instances, orchestrator.shard_leases");
});

async function sql<Row extends object = Record<string, unknown>>(text: string, values: (string | number)[] = []) {
  return (await database.journal.query<Row>(text, values)).rows;
}

async function open(
  more: { instanceId?: string; ttlMs?: number; alone?: boolean; shards?: number; reads?: number } = {},
): Promise<Leases & { id: string }> {
  counter += 1;
  const id = more.instanceId ?? `i${counter}`;
  const options = {
    instanceId: id,
    address: `host:${counter}`,
    ttlMs: 60_000,
    shards: SHARDS,
    alone: false,
    reads: 1,
    release: "test",
    ...more,
  };
  return { ...(await openLeases(database, options)).leases, id };
}

const expire = (id: string) =>
  sql("UPDATE orchestrator.instances SET expires_at = clock_timestamp() - interval '1 s' WHERE instance_id = $1", [id]);

/** One turn of a lease renewer in whose shards nothing is under way. */
async function turn(instance: Leases) {
  const seen = await instance.acquire();
  if (seen.surplus === 0) return seen;
  await instance.releaseSome(seen.held.slice(-seen.surplus).map(({ shard }) => shard));
  return instance.acquire();
}

test("the first instance takes all shards; a second one gets its part with the next turn of both", async () => {
  const first = await open();
  expect((await first.acquire()).taken).toHaveLength(SHARDS);
  const second = await open();
  expect(await second.acquire()).toMatchObject({ taken: [], held: [] });
  // Which shards go, and when, is for the lease renewer to say: some have attempts under way.
  expect(await first.acquire()).toMatchObject({ taken: [], surplus: SHARDS / 2 });
  const given = await turn(first);
  expect(given).toMatchObject({ taken: [], surplus: 0 });
  expect(given.held).toHaveLength(SHARDS / 2);
  const got = await second.acquire();
  expect(got.taken).toHaveLength(SHARDS / 2);
  // Given back in good order.
  expect(got.taken.every((lease) => lease.clean)).toBe(true);
  expect(new Set([...given.held, ...got.held].map((lease) => lease.shard)).size).toBe(SHARDS);
});

test("a look shows who else lives or owns shards, and a sum that grows whenever a shard changes hands", async () => {
  const first = await open();
  await turn(first);
  const alone = first.cluster();
  expect(alone.others).toEqual([]);
  const second = await open();
  await turn(first);
  const other = { id: second.id, address: expect.stringMatching(/^host:/) };
  expect(first.cluster()).toMatchObject({ others: [other] });
  expect(first.cluster().epochs).toBeGreaterThan(alone.epochs);
  await turn(second);
  await turn(first);
  const shared = first.cluster();
  await turn(first);
  expect(first.cluster()).toEqual(shared);
  await expire(second.id);
  const third = await open();
  await turn(first);
  // The dead one may still commit until its shards are taken.
  expect(
    first
      .cluster()
      .others.map(({ id }) => id)
      .toSorted(),
  ).toEqual([second.id, third.id].toSorted());
  await turn(third);
  await turn(first);
  expect(first.cluster().others.map(({ id }) => id)).toEqual([third.id]);
  expect(first.cluster().epochs).toBeGreaterThan(shared.epochs);
});

test("a turn that finds nothing to do changes nothing", async () => {
  const only = await open();
  const { held } = await only.acquire();
  const again = await only.acquire();
  expect(again).toMatchObject({ taken: [], held });
  expect(Math.abs(again.now - Date.now())).toBeLessThan(60_000);
});

test("shards of an instance that expired are taken, unclean, at a higher epoch", async () => {
  const dead = await open();
  const before = await dead.acquire();
  await expire(dead.id);
  const heir = await open();
  const { taken } = await heir.acquire();
  expect(taken).toHaveLength(SHARDS);
  for (const lease of taken) {
    expect(lease.clean).toBe(false);
    expect(lease.epoch).toBeGreaterThan(before.held.find((old) => old.shard === lease.shard)?.epoch ?? 0);
  }
  expect(await dead.renew()).toBe(false);
  expect((await dead.acquire()).held).toEqual([]);
});

test("an instance that expired and found its shards untouched still has them, at the same epoch", async () => {
  const only = await open();
  const { held } = await only.acquire();
  await expire(only.id);
  expect(await only.renew()).toBe(false);
  expect(await only.acquire()).toMatchObject({ taken: [], held });
});

test("a release gives everything back in good order", async () => {
  const first = await open();
  const { held } = await first.acquire();
  await first.release();
  expect(await sql("SELECT 1 FROM orchestrator.instances")).toEqual([]);
  const second = await open();
  const { taken } = await second.acquire();
  expect(taken.every((lease) => lease.clean)).toBe(true);
  expect(taken[0]?.epoch).toBeGreaterThan(held[0]?.epoch ?? 0);
});

test("an instance that dies after it took clean shards leaves unclean ones", async () => {
  const first = await open();
  await first.acquire();
  await first.release();
  const second = await open();
  await second.acquire();
  await expire(second.id);
  const third = await open();
  expect((await third.acquire()).taken.every((lease) => !lease.clean)).toBe(true);
});

test("an instance of this machine whose process is gone is dead at once; one that lives is not", async () => {
  const dead = await open();
  await dead.acquire();
  // No process has this id.
  await sql("UPDATE orchestrator.instances SET pid = 4194305 WHERE instance_id = $1", [dead.id]);
  const heir = await open();
  expect((await heir.acquire()).taken).toHaveLength(SHARDS);
  const other = await open();
  expect((await other.acquire()).taken).toEqual([]);
});

test("who holds the lock of the folder buries everybody else", async () => {
  const before = await open();
  await before.acquire();
  const alone = await open({ alone: true });
  expect((await alone.acquire()).taken).toHaveLength(SHARDS);
});

/** The instance has not lived for so long, on a machine of its own unless `here`. */
const endLife = (id: string, age: string, here = false) =>
  sql(
    `UPDATE orchestrator.instances SET expires_at = clock_timestamp() - interval '${age}', host = $2 WHERE instance_id = $1`,
    [id, here ? hostId() : "another machine"],
  );

/** About so many milliseconds; this takes less than a minute. */
const about = (ms: number) => expect.toSatisfy((value) => value >= ms && value < ms + 60_000, `about ${ms}`);

describe("how long the shards of a sole instance had no owner", () => {
  test("it died on another machine, longer ago than rows of dead instances are kept", async () => {
    const dead = await open();
    await dead.acquire();
    const idle = await open();
    await endLife(dead.id, "3 hours");
    await endLife(idle.id, "3 hours");
    const next = await open();
    expect(await sql("SELECT instance_id FROM orchestrator.instances ORDER BY 1")).toEqual(
      [dead.id, next.id].toSorted().map((instance_id) => ({ instance_id })),
    );
    const { taken } = await next.acquire();
    expect(taken).toHaveLength(SHARDS);
    for (const { ownerlessMs } of taken) expect(ownerlessMs).toEqual(about(3 * 3_600_000));
    await open();
    expect(await sql("SELECT FROM orchestrator.instances WHERE instance_id = $1", [dead.id])).toEqual([]);
  });

  test("it died on this machine, and its row goes when nothing is left of it", async () => {
    const dead = await open();
    await dead.acquire();
    await endLife(dead.id, "50 seconds", true);
    await sql("UPDATE orchestrator.instances SET pid = 4194305 WHERE instance_id = $1", [dead.id]);
    const { taken } = await (await open()).acquire();
    expect(taken).toHaveLength(SHARDS);
    for (const { ownerlessMs } of taken) expect(ownerlessMs).toEqual(about(50_000));
    expect(await sql("SELECT FROM orchestrator.instances WHERE instance_id = $1", [dead.id])).toEqual([]);
  });

  test("its process is gone before its life was over: it ends now", async () => {
    const dead = await open();
    await dead.acquire();
    await sql("UPDATE orchestrator.instances SET pid = 4194305 WHERE instance_id = $1", [dead.id]);
    const { taken } = await (await open()).acquire();
    expect(taken).toHaveLength(SHARDS);
    for (const { ownerlessMs } of taken) expect(ownerlessMs).toEqual(about(0));
  });

  test("it had the folder for itself", async () => {
    const dead = await open({ alone: true });
    await dead.acquire();
    await endLife(dead.id, "2 minutes");
    const { taken } = await (await open({ alone: true })).acquire();
    expect(taken).toHaveLength(SHARDS);
    for (const { ownerlessMs } of taken) expect(ownerlessMs).toEqual(about(120_000));
  });

  test("it comes back under its name, and knows it once", async () => {
    const dead = await open();
    await dead.acquire();
    await endLife(dead.id, "4 minutes");
    const again = await open({ instanceId: dead.id });
    const { taken, held } = await again.acquire();
    expect([taken, held.length]).toEqual([[], SHARDS]);
    const raise = () => again.raise(held.map(({ shard }) => shard));
    for (const { ownerlessMs } of await raise()) expect(ownerlessMs).toEqual(about(240_000));
    for (const { ownerlessMs } of await raise()) expect(ownerlessMs).toBeNull();
  });

  test("it comes back under its name when others have its shards: what it raises later, it has lost itself", async () => {
    const dead = await open();
    await endLife(dead.id, "4 minutes");
    const again = await open({ instanceId: dead.id });
    await again.acquire();
    const { held } = await again.acquire();
    const raised = await again.raise(held.map(({ shard }) => shard));
    expect(raised.map(({ ownerlessMs }) => ownerlessMs)).toEqual(Array.from({ length: SHARDS }, () => null));
  });

  test("it comes back under its name before its life is over", async () => {
    const dead = await open();
    const { held } = await dead.acquire();
    const raised = await (await open({ instanceId: dead.id })).raise(held.map(({ shard }) => shard));
    expect(raised).toHaveLength(SHARDS);
    for (const { ownerlessMs } of raised) expect(ownerlessMs).toBeLessThan(0);
  });

  test("it gave them back in good order: nobody counts the time", async () => {
    const first = await open();
    await first.acquire();
    await first.release();
    const { taken } = await (await open()).acquire();
    expect(taken.map(({ ownerlessMs }) => ownerlessMs)).toEqual(Array.from({ length: SHARDS }, () => null));
  });
});

test("raising epochs raises those of own shards only", async () => {
  const first = await open();
  await first.acquire();
  const second = await open();
  await turn(first);
  const { held } = await second.acquire();
  const foreign = (await first.acquire()).held;
  const raised = await second.raise([...held, ...foreign].map((lease) => lease.shard));
  expect(raised.map((lease) => lease.shard).toSorted()).toEqual(held.map((lease) => lease.shard).toSorted());
  for (const lease of raised) expect(lease.epoch).toBe((held.find((old) => old.shard === lease.shard)?.epoch ?? 0) + 1);
  expect((await first.acquire()).held).toEqual(foreign);
});

test("many instances that take at the same time take every shard once", async () => {
  const instances = await Promise.all(Array.from({ length: 4 }, () => open()));
  await eventually(async () => {
    for (const instance of instances) await turn(instance);
    const held = (await Promise.all(instances.map((instance) => turn(instance)))).map((turn) => turn.held);
    expect(held.map((leases) => leases.length)).toEqual([2, 2, 2, 2]);
    expect(new Set(held.flat().map((lease) => lease.shard)).size).toBe(SHARDS);
  });
});

test("a database keeps its number of shards", async () => {
  await open();
  await expect(open({ shards: SHARDS * 2 })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

// Two machines of one image have one name: each saw the process of the other as gone, and took the shards of an
// instance that was alive.
test("the same host name with another boot is another machine", async () => {
  const other = await open();
  await other.acquire();
  expect(hostId().split(" ").length).toBeGreaterThan(1);
  await sql("UPDATE orchestrator.instances SET pid = 4194305, host = $1 WHERE instance_id = $2", [
    `${hostname()} another-boot`,
    other.id,
  ]);
  expect((await (await open()).acquire()).taken).toEqual([]);
});

test("everybody hears the lowest version of the journal's format that a living instance reads", async () => {
  const newer = await open({ reads: 3 });
  expect((await newer.acquire()).journal.reads).toBe(3);
  const older = await open({ reads: 2 });
  expect((await newer.acquire()).journal.reads).toBe(2);
  await expire(older.id);
  expect((await newer.acquire()).journal.reads).toBe(3);
});
