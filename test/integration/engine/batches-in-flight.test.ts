/** Two batches in flight at once, on the same shard: nothing is lost or written twice, whatever becomes of either. */
import { expect, test } from "vitest";
import { armFailPoints } from "../../../src/base/process/fail-points.ts";
import { CommitError, type CommitFailure, type Transition } from "../../../src/engine/ports/journal.ts";
import { eventually } from "../../support/eventually.ts";
import { startOf } from "../../support/start-of.ts";
import { CALLER, createBed, type Instance, type InstanceOptions } from "./bed.ts";

const bed = createBed();

const NEVER = new AbortController().signal;

/** Enough transitions to go beside a batch in flight. */
const MANY = 40;

/** Resolves when the event loop has processed its queue. */
const endOfRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function lose(): never {
  throw new CommitError("unknown", new Error("planted: the answer was lost"));
}

const of =
  (runId: string) =>
  (transitions: readonly Transition[]): boolean =>
    transitions.some((transition) => transition.runId === runId);

/** An instance with open runs on one shard. */
async function openRuns(count: number, options?: InstanceOptions): Promise<{ instance: Instance; ids: string[] }> {
  await bed.register("gate", [{ id: "last", type: "signal", parameters: { name: "last" } }]);
  const instance = await bed.openInstance(options);
  const starts = Array.from({ length: count }, () => startOf("gate"));
  const results = await instance.engine.startRuns(CALLER, starts, 0);
  const ids = results.map((result) => {
    if (result instanceof Error) throw result;
    return result.run.state.runId;
  });
  expect(new Set(ids.map((runId) => instance.runtime.shards.shardOf(runId))).size).toBe(1);
  return { instance, ids };
}

const signalAll = (instance: Instance, ids: readonly string[], name: string): Promise<unknown> =>
  Promise.all(ids.map((runId) => instance.engine.signalRun(CALLER, runId, name, null)));

const areCommitting = (instance: Instance, ids: readonly string[]) => () =>
  expect(ids.every((runId) => instance.runs.residence.get(runId)?.committing)).toBe(true);

/** The signals of each run as the journal has them; fails if a transition is missing or doubled. */
async function namesOf(ids: readonly string[]): Promise<string[][]> {
  const rows = await bed.sql<{ run_id: string; sequence: number; record_count: number }>(
    "SELECT run_id, sequence, record_count FROM orchestrator.journal ORDER BY run_id, sequence",
  );
  const next = new Map<string, number>();
  for (const { run_id: runId, sequence, record_count: count } of rows) {
    expect(sequence).toBe(next.get(runId) ?? 1);
    next.set(runId, sequence + count);
  }
  return Promise.all(ids.map(async (runId) => (await bed.stateOf(runId)).signals.map(({ name }) => name)));
}

/** Counts how often epochs are raised, and for how many shards. */
function countRaises(): { readonly raises: number[]; readonly options: InstanceOptions } {
  const raises: number[] = [];
  const options: InstanceOptions = {
    wrapLeases: (leases) => ({
      ...leases,
      raise: (shards) => {
        raises.push(shards.length);
        return leases.raise(shards);
      },
    }),
  };
  return { raises, options };
}

for (const written of [true, false]) {
  const which = written ? "landed" : "did not land";

  test(`a batch that ${which} is in doubt while another one of its shard commits`, async () => {
    const { raises, options } = countRaises();
    const { instance, ids } = await openRuns(10 + MANY, options);
    const [few, many] = [ids.slice(0, 10), ids.slice(10)];
    const [first = ""] = few;
    const [second = ""] = many;
    const [lost, kept] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const loseLater = (): Promise<void> => lost.promise.then(lose);
    instance.journal.onCommit(written ? { after: loseLater } : { before: loseLater }, of(first));
    instance.journal.onCommit({ before: () => kept.promise }, of(second));
    raises.length = 0;
    const answers = [signalAll(instance, few, "one")];
    await eventually(areCommitting(instance, few));
    answers.push(signalAll(instance, many, "one"));
    await eventually(areCommitting(instance, many));
    lost.resolve();
    await eventually(() => expect(instance.lines.map(({ message }) => message).join()).toContain("is unknown"));
    // What comes meanwhile waits, of whatever run.
    answers.push(signalAll(instance, ids, "two"));
    await endOfRound();
    // The new epoch would refuse the batch that is on its way.
    expect(raises).toEqual([]);
    kept.resolve();
    await Promise.all(answers);
    expect(raises).toEqual([1]);
    expect(await namesOf(ids)).toEqual(ids.map(() => ["one", "two"]));
    expect(instance.lines.filter(({ level }) => level === "error")).toEqual([]);
    await signalAll(instance, ids, "last");
    for (const runId of ids)
      expect((await instance.engine.waitRun(CALLER, runId, 10_000, NEVER)).state.phase).toBe("COMPLETED");
  });

  test(`two batches that ${which} are in doubt at once and fenced together`, async () => {
    const { raises, options } = countRaises();
    const { instance, ids } = await openRuns(10 + MANY, options);
    const [few, many] = [ids.slice(0, 10), ids.slice(10)];
    const lost = Promise.withResolvers<void>();
    const loseLater = (): Promise<void> => lost.promise.then(lose);
    for (const [runId = ""] of [few, many])
      instance.journal.onCommit(written ? { after: loseLater } : { before: loseLater }, of(runId));
    raises.length = 0;
    const answers = [signalAll(instance, few, "one")];
    await eventually(areCommitting(instance, few));
    answers.push(signalAll(instance, many, "one"));
    await eventually(areCommitting(instance, many));
    answers.push(signalAll(instance, ids, "two"));
    lost.resolve();
    await Promise.all(answers);
    expect(raises).toEqual([1]);
    expect(await namesOf(ids)).toEqual(ids.map(() => ["one", "two"]));
    expect(instance.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
}

test("small changes wait for a batch in flight and go together with the next", async () => {
  const { instance, ids } = await openRuns(5);
  const [first = "", ...others] = ids;
  let answer: Promise<unknown> = Promise.resolve();
  const before = async (): Promise<void> => {
    answer = signalAll(instance, others, "one");
    for (let rounds = 0; rounds < 5; rounds += 1) await endOfRound();
  };
  instance.journal.onCommit({ before }, of(first));
  const sent = instance.journal.batches.length;
  await signalAll(instance, [first], "one");
  await answer;
  expect(instance.journal.batches.slice(sent).map((batch) => batch.length)).toEqual([1, 4]);
  expect(await namesOf(ids)).toEqual(ids.map(() => ["one"]));
});

test("many changes go beside the batch in flight, each run with one of them", async () => {
  const { instance, ids } = await openRuns(1 + MANY);
  const [first = "", ...others] = ids;
  const held = Promise.withResolvers<void>();
  instance.journal.onCommit({ before: () => held.promise }, of(first));
  const answer = signalAll(instance, [first], "one");
  await eventually(areCommitting(instance, [first]));
  const sent = instance.journal.batches.length;
  const second = signalAll(instance, [first], "two");
  await signalAll(instance, others, "one");
  expect(instance.journal.batches.slice(sent).map((batch) => batch.length)).toEqual([MANY]);
  held.resolve();
  await Promise.all([answer, second]);
  expect((await namesOf([first]))[0]).toEqual(["one", "two"]);
});

test("a statement that is stuck in the store stops its own runs only", async () => {
  const { instance, ids } = await openRuns(3);
  const [stuck = "", one = "", two = ""] = ids;
  const held = Promise.withResolvers<void>();
  instance.journal.onCommit({ before: () => held.promise }, of(stuck));
  const answers = [signalAll(instance, [stuck], "one")];
  await eventually(areCommitting(instance, [stuck]));
  answers.push(signalAll(instance, [stuck], "two"));
  await signalAll(instance, [one], "one");
  await signalAll(instance, [two], "one");
  expect(await namesOf(ids)).toEqual([[], ["one"], ["one"]]);
  held.resolve();
  await Promise.all(answers);
  expect(await namesOf(ids)).toEqual([["one", "two"], ["one"], ["one"]]);
});

test("a run that cannot go on while its transition is in flight is held when that is written", async () => {
  const { instance, ids } = await openRuns(2);
  const [bad = "", good = ""] = ids;
  const held = Promise.withResolvers<void>();
  instance.journal.onCommit({ before: () => held.promise }, of(bad));
  const answer = signalAll(instance, [bad], "one");
  await eventually(areCommitting(instance, [bad]));
  // The decision fails, once.
  armFailPoints(`run.decide[${bad}]=throw`);
  await expect(signalAll(instance, [bad], "two")).rejects.toMatchObject({ code: "RUN_QUARANTINED" });
  // Another connection is free, and takes what is ready.
  await signalAll(instance, [good], "one");
  expect((await bed.stateOf(bad)).holds).toEqual([]);
  held.resolve();
  await answer;
  await eventually(async () => expect((await bed.stateOf(bad)).holds).toMatchObject([{ kind: "quarantine" }]));
  expect(await namesOf(ids)).toEqual([["one"], ["one"]]);
  expect(instance.lines.filter(({ level }) => level === "error")).toHaveLength(1);
});

test("a parent learns of the end of its child when that is durable", async () => {
  await bed.register("child", [{ id: "go", type: "signal", parameters: { name: "go" } }]);
  await bed.register("parent", [{ id: "p", type: "subflow", parameters: { flow_id: "child" } }]);
  const { instance, ids } = await openRuns(1);
  const { runId: parentId } = (await instance.engine.startRun(CALLER, startOf("parent"), 0)).run.state;
  const childId = await eventually(async () => {
    const [row] = await bed.sql<{ run_id: string }>("SELECT run_id FROM orchestrator.runs WHERE flow_id = 'child'");
    if (row === undefined) throw new Error("there is no child");
    return row.run_id;
  });
  const held = Promise.withResolvers<void>();
  instance.journal.onCommit({ before: () => held.promise }, of(childId));
  const answer = signalAll(instance, [childId], "go");
  await eventually(areCommitting(instance, [childId]));
  const parent = instance.runs.residence.get(parentId);
  if (parent === undefined) throw new Error("the parent is not in memory");
  // It compares itself with its child, as after a takeover.
  await instance.runtime.probation.recover(parent, true);
  await signalAll(instance, ids, "one");
  expect((await bed.stateOf(parentId)).phase).toBe("RUNNING");
  held.resolve();
  await answer;
  expect((await instance.engine.waitRun(CALLER, parentId, 10_000, NEVER)).state.phase).toBe("COMPLETED");
  expect((await bed.stateOf(childId)).phase).toBe("COMPLETED");
});

test("whatever befalls batches in flight, each run has each of its signals once and in order", async () => {
  const { instance, ids } = await openRuns(60, { commitConnections: 3 });
  const seed = Number(process.env.ORCHESTRATOR_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = createRandom(seed);
  const fault = (kind: CommitFailure) => () => {
    throw new CommitError(kind, new Error("planted"));
  };
  const wait = async (): Promise<void> => {
    for (let rounds = random() * 200; rounds > 0; rounds -= 1) await endOfRound();
  };
  const befall = async (): Promise<void> => {
    await wait();
    const chance = random();
    if (chance < 0.1) fault("unknown")();
    else if (chance < 0.12) fault("failed")();
    else if (chance < 0.14) fault("slow")();
  };
  const befallAfter = async (): Promise<void> => {
    await wait();
    if (random() < 0.1) fault("unknown")();
  };
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  for (let count = 0; count < 5_000; count += 1) instance.journal.onCommit({ before: befall, after: befallAfter });
  const send = async (runId: string): Promise<void> => {
    for (const name of names)
      await eventually(() => instance.engine.signalRun(CALLER, runId, name, null, { id: name, hash: "" }), {
        timeoutMs: 30_000,
      });
  };
  await Promise.all(ids.map(send));
  expect(await namesOf(ids), `repeat it with ORCHESTRATOR_TEST_SEED=${seed}`).toEqual(ids.map(() => names));
  expect(instance.lines.filter(({ level }) => level === "error")).toEqual([]);
  const inDoubt = instance.lines.filter(({ message }) => message.includes("is unknown"));
  expect(inDoubt.length).toBeGreaterThan(3);
});

/** Numbers in [0, 1) that follow from a seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
