/** Random flows in their worlds for the properties, as fast-check arbitraries: a failing one is printed by its seed. */
import fc from "fast-check";
import type { Plan } from "../../src/flows/plan.ts";
import { planOf } from "../differential/engine-adapter.ts";
import { generateWide } from "../oracle/generate-wide.ts";
import type { World } from "../oracle/world.ts";

/** A plan in its world. */
export type Subject = { seed: number; plan: Plan; world: World };

/** Seeds of wide flows. */
export const seeds = fc.integer({ min: 1, max: 1_000_000 });

/** The wide flow of a seed, compiled. */
export async function subjectOf(seed: number): Promise<Subject> {
  const { flow, world } = generateWide(seed);
  return { seed, plan: await planOf(flow), world };
}

/**
 * How many flows a property is tried on: others each time. A failure prints its seed; PROPERTY_SEED tries the same ones
 * again.
 */
export const RUNS = {
  numRuns: 300,
  ...(process.env.PROPERTY_SEED === undefined ? {} : { seed: Number(process.env.PROPERTY_SEED) }),
};
