/**
 * How often kills from outside hold an innocent run: a model of takeovers with the product's verdict and pauses. Runs
 * that were current at a death are tried one after the other, the owner is killed at a random time, and its
 * successor judges.
 */
import { expect, test } from "vitest";
import { spanOf } from "../../src/engine/shard/submission/trial-pauses.ts";
import { isGuilty } from "../../src/engine/shard/submission/verdict.ts";
import { createRandom, type Random } from "../oracle/random.ts";

/** Kills in a campaign. The first ones decide: each that hits no trial raises the bar for all. */
const KILLS = 12;

interface Machine {
  readonly runs: number;
  /** What a trial takes, milliseconds. */
  readonly trialMs: number;
  /** When owners are killed, milliseconds after their takeover. */
  readonly killed: readonly [number, number];
}

/** True if a run is held. */
function holdsSomebody(
  { runs, trialMs, killed: [from, to] }: Machine,
  span: number,
  { next: random }: Random,
): boolean {
  const deaths = new Map<number, number>();
  const owners: { run: number | null; explained: boolean }[] = [{ run: null, explained: false }];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const killedAt = from + random() * (to - from);
    const begins = [...deaths.keys()].map((run) => ({ run, at: random() * span }));
    const ready = Array.from({ length: runs }, (_, run) => run).filter((run) => !deaths.has(run));
    let hit: number | null = null;
    for (let now = 0; now < killedAt; ) {
      for (const one of begins.filter(({ at }) => at <= now)) {
        ready.push(one.run);
        begins.splice(begins.indexOf(one), 1);
      }
      const run = ready.shift();
      if (run === undefined) {
        now = Math.min(...begins.map(({ at }) => at), killedAt);
        continue;
      }
      const compared = deaths.size > 0;
      now += trialMs;
      if (now > killedAt) {
        hit = run;
        break;
      }
      if (deaths.delete(run)) for (const owner of owners) if (owner.run === run) owner.explained = false;
      if (compared) now += Math.min(4 * random() * trialMs, span);
    }
    owners.push({ run: hit, explained: hit !== null });
    if (hit === null) continue;
    const own = (deaths.get(hit) ?? 0) + 1;
    deaths.set(hit, own);
    const unexplained = owners.filter(({ run, explained }) => !explained && run !== hit).length;
    if (isGuilty({ id: "", shard: 0, moment: "takeover", deaths: own, unexplained, blocked: false })) return true;
  }
  return false;
}

function shareHeld(machine: Machine, span: number): number {
  const random = createRandom(1);
  const campaigns = 1_000;
  let held = 0;
  for (let campaign = 0; campaign < campaigns; campaign += 1) if (holdsSomebody(machine, span, random)) held += 1;
  return held / campaigns;
}

const MACHINES: readonly Machine[] = [3, 100, 300].flatMap((trialMs) =>
  [1, 3, 10].flatMap((runs) =>
    (
      [
        [300, 1_200],
        [trialMs, 2 * trialMs + 200],
        [3_000, 8_000],
      ] as const
    ).map((killed) => ({ runs, trialMs, killed })),
  ),
);

test("the second trial of a run is hit once in a hundred times, whatever trials take", () => {
  for (const trialMs of [1, 3, 28, 49, 51, 200, 300]) expect(trialMs / spanOf(trialMs)).toBeLessThanOrEqual(0.01);
});

test("less than two campaigns of a hundred hold an innocent run, on machines of any speed", () => {
  for (const machine of MACHINES)
    expect({ ...machine, held: shareHeld(machine, spanOf(machine.trialMs)) }).toMatchObject({
      held: expect.toSatisfy((held: number) => held < 0.02),
    });
});

test("with a second trial at once, nearly every campaign on a slow machine would", () => {
  expect(shareHeld({ runs: 10, trialMs: 200, killed: [300, 1_200] }, 0)).toBeGreaterThan(0.5);
});
