/** The deaths of owners in the store: which of them a run accounts for, whichever owner takes over. */
import { expect, test } from "vitest";
import type { Suspect, Trial } from "../../../src/engine/ports/journal.ts";
import type { Leases, TakenLease } from "../../../src/engine/ports/leases.ts";
import { blameRun, holdUnread, judgeSuspects, nameSuspects } from "../../../src/store/journal/suspects.ts";
import { openLeases } from "../../../src/store/leases.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, SHARDS } from "./bed.ts";

const bed = createBed();

let counter = 0;

/** An owner of shards that does nothing but what it is told. */
interface Owner {
  readonly id: string;
  readonly leases: Leases;
  readonly taken: readonly TakenLease[];
  /** What it found when it took the shards. */
  readonly suspects: readonly Suspect[];
  /** Says that these are in progress now. */
  name(trials: readonly Trial[], passed?: readonly Trial[]): Promise<void>;
  hold(trial: Trial): Promise<boolean>;
  die(): Promise<void>;
}

async function register(instanceId = `owner-${counter++}`): Promise<{ id: string; leases: Leases }> {
  const options = {
    instanceId,
    address: "a:1",
    ttlMs: 60_000,
    shards: SHARDS,
    alone: false,
    reads: 1,
    release: "test",
  };
  return { id: instanceId, leases: (await openLeases(bed.database, options)).leases };
}

/** Takes what `leases` can get, and judges. */
async function take({ id, leases }: { id: string; leases: Leases }): Promise<Owner> {
  const pool = bed.database.journal;
  const { taken: free, held } = await leases.acquire();
  const mine = held.filter(({ shard }) => free.every((lease) => lease.shard !== shard));
  const raised = mine.length === 0 ? [] : await leases.raise(mine.map(({ shard }) => shard));
  const taken = [...free, ...raised.map((lease) => ({ ...lease, clean: false }))];
  const record = { type: "run.held" as const, at: 1, hold: "quarantine" as const, by: "test", why: "it kills" };
  return {
    id,
    leases,
    taken,
    suspects: await judgeSuspects(pool, taken),
    name: (trials, passed = []) => nameSuspects(pool, taken, trials, passed, trials.length === 1),
    hold: ({ runId, shard }) => {
      const lease = taken.find((one) => one.shard === shard);
      return lease === undefined ? Promise.resolve(false) : holdUnread(pool, lease, runId, record);
    },
    die: async () => void (await bed.sql("DELETE FROM orchestrator.instances WHERE instance_id = $1", [id])),
  };
}

const takeOver = async (): Promise<Owner> => take(await register());

/** Trials of runs that wait for a signal, on different shards. Their first owner has died: one unexplained death. */
async function openRuns(count: number): Promise<Trial[]> {
  await bed.register("one", [{ id: "a", type: "signal", parameters: { name: "go" } }]);
  const instance = await bed.openInstance();
  const trials: Trial[] = [];
  const shards = new Set<number>();
  for (let index = 0; trials.length < count; index += 1) {
    const runId = `run-${index}`;
    const shard = instance.runs.shards.shardOf(runId);
    if (shards.has(shard)) continue;
    shards.add(shard);
    await instance.engine.startRun(CALLER, startOf("one", { runId }), 0);
    trials.push({ runId, shard, moment: "takeover" });
  }
  await instance.crash();
  return trials.toSorted((a, b) => a.shard - b.shard);
}

const deaths = () =>
  bed.sql("SELECT run_id AS run, moment, explained FROM orchestrator.owner_deaths ORDER BY died_at, incarnation");

const NOBODY = { run: null, moment: null, explained: false };

const blamed = ({ runId, moment }: Trial) => ({ run: runId, moment, explained: true });

const withdrawn = ({ runId, moment }: Trial) => ({ run: runId, moment, explained: false });

const seen = (owner: Owner) =>
  owner.suspects.map((suspect) => ({
    run: suspect.runId,
    deaths: suspect.deaths,
    unexplained: suspect.unexplained,
  }));

test("an owner that dies leaves one death, and one that gives its shards back leaves none", async () => {
  const first = await takeOver();
  expect(await deaths()).toEqual([]);
  await first.leases.release();
  const second = await takeOver();
  expect(await deaths()).toEqual([]);
  await second.die();
  await takeOver();
  expect(await deaths()).toEqual([NOBODY]);
});

test("a death names the run that was alone in progress, until that run passes a trial at the same moment", async () => {
  const [run, other] = (await openRuns(2)) as [Trial, Trial];
  const report = { ...run, moment: "reported:a" };
  const first = await takeOver();
  await first.name([run]);
  await first.die();
  const second = await takeOver();
  expect(await deaths()).toEqual([NOBODY, blamed(run)]);
  expect(seen(second)).toEqual([{ run: run.runId, deaths: 1, unexplained: 1 }]);
  await second.name([other], [report]);
  expect(await deaths()).toEqual([NOBODY, blamed(run)]);
  await second.name([run], [other]);
  await second.name([], [run]);
  expect(await deaths()).toEqual([NOBODY, withdrawn(run)]);
  await second.name([other]);
  await second.die();
  // What was withdrawn speaks for the others.
  expect(seen(await takeOver())).toEqual([{ run: other.runId, deaths: 1, unexplained: 2 }]);
});

test("deaths that were blamed on a run and withdrawn do not speak for this run", async () => {
  const [run] = (await openRuns(1)) as [Trial];
  for (let round = 0; round < 3; round += 1) {
    const killed = await takeOver();
    await killed.name([run]);
    await killed.die();
    const passed = await takeOver();
    expect(seen(passed)).toEqual([{ run: run.runId, deaths: 1, unexplained: 1 }]);
    await passed.name([], [run]);
    await passed.name([run]);
    await passed.name([], [run]);
    await passed.leases.release();
  }
  expect(await deaths()).toEqual([NOBODY, withdrawn(run), withdrawn(run), withdrawn(run)]);
});

test("two that take the shards of one dead owner record one death, and who finds the run names it", async () => {
  const [low, , high] = (await openRuns(3)) as [Trial, Trial, Trial];
  for (const trial of [low, high]) {
    const dead = await takeOver();
    await dead.name([trial]);
    await dead.die();
    const both = [await register(), await register()];
    const owners = [];
    for (const one of both) owners.push(await take(one));
    expect(owners.map(({ taken }) => taken.length)).toEqual([SHARDS / 2, SHARDS / 2]);
    const at = owners.findIndex(({ taken }) => taken.some(({ shard }) => shard === trial.shard));
    expect((await deaths()).at(-1)).toEqual(blamed(trial));
    await owners[at]?.name([], [trial]);
    for (const owner of owners) await owner.leases.release();
  }
  expect(await deaths()).toEqual([NOBODY, withdrawn(low), withdrawn(high)]);
});

test("a group in progress explains a death and names no run", async () => {
  const [run, other] = (await openRuns(2)) as [Trial, Trial];
  const first = await takeOver();
  await first.name([run, other]);
  await first.die();
  const second = await takeOver();
  expect(await deaths()).toEqual([NOBODY, { run: null, moment: null, explained: true }]);
  expect(seen(second)).toMatchObject([
    { deaths: 0, unexplained: 1 },
    { deaths: 0, unexplained: 1 },
  ]);
});

test("a run that is held explains its deaths and the one that made it a suspect; the next that kills is held as early", async () => {
  const [run, other] = (await openRuns(2)) as [Trial, Trial];
  for (let death = 1; death <= 2; death += 1) {
    const owner = await takeOver();
    await owner.name([run]);
    await owner.die();
  }
  const judge = await takeOver();
  expect(seen(judge)).toEqual([{ run: run.runId, deaths: 2, unexplained: 1 }]);
  expect(await judge.hold(run)).toBe(true);
  expect((await deaths()).map(({ explained }) => explained)).toEqual([true, true, true]);
  await judge.die();
  const next = await takeOver();
  await next.name([other]);
  await next.die();
  expect(seen(await takeOver())).toEqual([{ run: other.runId, deaths: 1, unexplained: 1 }]);
});

test("a run that the watchdog names explains the death of its owner, and holding it excuses nobody else's", async () => {
  const [run] = (await openRuns(1)) as [Trial];
  const first = await takeOver();
  expect(await blameRun(bed.database.journal, first.id, run.runId)).toBe(true);
  await first.die();
  const second = await takeOver();
  expect(await deaths()).toEqual([NOBODY, blamed({ ...run, moment: "loop" })]);
  expect(await second.hold(run)).toBe(true);
  expect(await deaths()).toEqual([NOBODY, { run: null, moment: null, explained: true }]);
});

test("a process that comes back under the name of the dead one records its death, each time", async () => {
  const [run] = (await openRuns(1)) as [Trial];
  for (const expected of [1, 2]) {
    const owner = await take(await register("same"));
    expect(owner.taken).toHaveLength(SHARDS);
    expect(await deaths()).toHaveLength(expected);
    await owner.name([run]);
  }
  const last = await take(await register("same"));
  expect(await deaths()).toEqual([NOBODY, blamed(run), blamed(run)]);
  expect(seen(last)).toEqual([{ run: run.runId, deaths: 2, unexplained: 1 }]);
});

test("a run that ended in its trial accounts for no death", async () => {
  const [run] = (await openRuns(1)) as [Trial];
  const first = await takeOver();
  await first.name([run]);
  await bed.sql("UPDATE orchestrator.runs SET state = 'CANCELED', ended_at = now() WHERE run_id = $1", [run.runId]);
  await first.die();
  await takeOver();
  expect(await deaths()).toEqual([NOBODY, NOBODY]);
});

test("deaths count for ten minutes and are forgotten after an hour", async () => {
  const [run] = (await openRuns(1)) as [Trial];
  const first = await takeOver();
  await bed.sql("UPDATE orchestrator.owner_deaths SET died_at = died_at - interval '11 minutes'");
  await first.name([run]);
  await first.die();
  const second = await takeOver();
  expect(seen(second)).toEqual([{ run: run.runId, deaths: 1, unexplained: 0 }]);
  await bed.sql("UPDATE orchestrator.owner_deaths SET died_at = died_at - interval '1 hour'");
  await second.die();
  await takeOver();
  expect(await deaths()).toEqual([NOBODY]);
});
