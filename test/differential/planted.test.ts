/** A bug planted in each rule of the engine is noticed: a suite that cannot fail proves nothing. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/flows/plan.ts";
import { generateWide } from "../oracle/generate-wide.ts";
import { judgeOutcome } from "./compare.ts";
import { drive, type Fault, planOf } from "./engine-adapter.ts";
import { PLANTED_BUGS } from "./faults.ts";

/** So many flows may pass before a bug is noticed. */
const FLOWS = 3_000;
const plans = new Map<number, Plan>();

describe("planted bugs", () => {
  test("names are not used twice", () => {
    expect(new Set(PLANTED_BUGS.map(({ rule }) => rule)).size).toBe(PLANTED_BUGS.length);
  });

  test.each(PLANTED_BUGS)("noticed: $rule", async ({ fault }) => {
    for (let seed = 1; seed <= FLOWS; seed++) {
      if ((await isNoticed(seed, fault)) && !(await isNoticed(seed, {}))) return;
    }
    expect.fail(`not noticed in ${FLOWS} flows`);
  });
});

/**
 * True when the engine with the fault comes to another outcome. Breaking an invariant of the machine is not enough:
 * what it does wrong must show.
 */
async function isNoticed(seed: number, fault: Fault): Promise<boolean> {
  const { flow, world } = generateWide(seed);
  const plan = plans.get(seed) ?? (await planOf(flow));
  plans.set(seed, plan);
  try {
    return judgeOutcome(flow, world, drive(plan, world, fault).outcome).kind === "different";
  } catch {
    return false; // an invariant of the machine broke; other flows must show the bug
  }
}
