/** The audit of limits: rows that say something else than the journals of their runs are written again. */
import { expect, onTestFinished, test } from "vitest";
import { auditLimits } from "../../../src/engine/limits/audit-limits.ts";
import { createLimitAudit } from "../../../src/store/limits/limit-audit.ts";
import { eventually } from "../../support/eventually.ts";
import { CALLER, createBed, type Instance } from "./bed.ts";
import { createFakeTools, type FakeTools } from "./fake-tools.ts";
import { ended, limited, slotsOf, start, startMany } from "./limit-bed.ts";

const bed = createBed();

const statesOf = async () => (await slotsOf(bed)).map(({ state }) => state).sort();

/** Calls that are answered one by one. */
function createHeld(): { readonly tools: FakeTools; release(): void } {
  const waiting: (() => void)[] = [];
  const tools = createFakeTools();
  tools.answer("call", async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return { ok: true, output: "done" };
  });
  return { tools, release: () => waiting.shift()?.() };
}

/** Audits again and again; what it has found. */
function audit(instance: Instance) {
  const found = { lost: 0, repaired: 0, looks: 0 };
  const { removeLost, ...store } = createLimitAudit(bed.database);
  const looking = auditLimits({
    audit: {
      ...store,
      removeLost: (leases, after) => {
        if (after === null) found.looks += 1;
        return removeLost(leases, after);
      },
    },
    journaled: instance.runs.limitedTasks,
    lines: instance.limitLines,
    shards: instance.runtime.shards,
    metrics: { lost: (count) => (found.lost += count), repaired: (count) => (found.repaired += count) },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    everyMs: 20,
  });
  onTestFinished(() => looking.stop());
  return found;
}

test("slots of runs that are not open any more are counted and removed, and their limits go on", async () => {
  await bed.register("lost", [limited({ max_concurrent: 1 })]);
  const instance = await bed.openInstance();
  const gone = await start(instance, "lost");
  await ended(instance, gone);
  const shard = instance.runtime.shards.shardOf(gone);
  // More than a page, so that the last of them are found, too.
  await bed.sql(
    `INSERT INTO orchestrator.limit_slots (run_id, task_path, shard, tenant_id, name, key, home, state, asked, rank, since)
    SELECT '${gone}', 'call.' || n, ${shard}, 'default', 'crm', '', 0, 'taken', 1, 0, now() FROM generate_series(1, 2500) n`,
  );
  const waiting = await start(instance, "lost");
  await eventually(async () => expect((await statesOf()).at(-1)).toBe("waiting"));
  const found = audit(instance);
  expect((await ended(instance, waiting)).phase).toBe("COMPLETED");
  expect(found).toMatchObject({ lost: 2_500, repaired: 0 });
});

test("rows of runs in memory that are gone, wrong, or too many say again what the journals say", async () => {
  await bed.register("one", [limited({ max_concurrent: 1 })]);
  const { tools, release } = createHeld();
  const instance = await bed.openInstance({ tools });
  const runs = await startMany(instance, "one", 3);
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting", "waiting"]));
  const columns = "task_path, shard, tenant_id, name, key, home, state, asked, rank, since, max_concurrent, rate_count";
  const read = () => bed.sql(`SELECT run_id, ${columns} FROM orchestrator.limit_slots ORDER BY run_id, task_path`);
  const before = await read();
  const found = audit(instance);
  const looked = async (more: number): Promise<void> => {
    const { looks } = found;
    await eventually(() => expect(found.looks).toBeGreaterThan(looks + more));
  };
  await looked(3);
  expect(found).toMatchObject({ lost: 0, repaired: 0 });

  const damages = [
    "DELETE FROM orchestrator.limit_slots",
    "UPDATE orchestrator.limit_slots SET state = 'waiting', asked = asked + 100 WHERE state = 'taken'",
    "UPDATE orchestrator.limit_slots SET name = 'other' WHERE state = 'waiting'",
    `INSERT INTO orchestrator.limit_slots SELECT run_id, 'call.7', shard, tenant_id, name, key, home, 'taken', asked, rank, since
      FROM orchestrator.limit_slots WHERE state = 'taken'`,
  ];
  for (const [index, damage] of damages.entries()) {
    await bed.sql(damage);
    await eventually(async () => expect(await read()).toEqual(before));
    expect(found.repaired).toBe([3, 4, 6, 7][index]);
  }
  expect(tools.calls).toHaveLength(1);
  for (const count of [2, 3]) {
    release();
    await eventually(() => expect(tools.calls).toHaveLength(count));
  }
  release();
  for (const runId of runs) expect((await ended(instance, runId)).phase).toBe("COMPLETED");
  await eventually(async () => expect(await statesOf()).toEqual([]));
  expect(found).toMatchObject({ lost: 0, repaired: 7 });
});

// Cause: a run that cannot be read stood in its line forever, and was read past each time.
test("a run that is quarantined unread leaves its lines, and its release puts it back", async () => {
  await bed.register("one", [limited({ max_concurrent: 1 })]);
  const { tools, release } = createHeld();
  const first = await bed.openInstance({ tools });
  const [holder = "", broken = "", behind = ""] = [
    await start(first, "one"),
    await start(first, "one"),
    await start(first, "one"),
  ];
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting", "waiting"]));
  await first.crash();
  const damage = (from: string, to: string) =>
    bed.sql("UPDATE orchestrator.journal SET records = replace(records, $2, $3) WHERE run_id = $1", [broken, from, to]);
  await damage('"task.limited"', '"task.teleported"');
  const second = await bed.openInstance({ tools });
  // The next reader finds out.
  await expect(second.engine.pauseRun(CALLER, broken, "")).rejects.toMatchObject({ code: "RUN_UNREADABLE" });
  await eventually(async () => {
    const left = (await slotsOf(bed)).map(({ run_id }) => run_id);
    expect(left.sort()).toEqual([holder, behind].sort());
  });
  await damage('"task.teleported"', '"task.limited"');
  await second.engine.resumeRun(CALLER, broken, ["quarantine"], "it is mended");
  await eventually(async () => expect(await statesOf()).toEqual(["taken", "waiting", "waiting"]));
  const ends = [holder, broken, behind].map((runId) => ended(second, runId));
  // The attempt of the dead owner is answered, too, to nobody.
  for (let answered = 0; answered < 4; answered += 1) {
    await eventually(() => expect(tools.calls.length).toBeGreaterThan(answered));
    release();
  }
  for (const run of await Promise.all(ends)) expect(run.phase).toBe("COMPLETED");
});
