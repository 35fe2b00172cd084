/** Lists of goals without goals, and a check that lets all goals through. */
import type { GoalCheck } from "../../../src/engine/ports/gate/goal-check.ts";
import type { Goals } from "../../../src/engine/ports/gate/goals.ts";

interface FakeGoals {
  readonly goals: Goals;
  readonly goalCheck: GoalCheck;
}

export function createFakeGoals(): FakeGoals {
  return {
    goals: { list: async () => [] },
    goalCheck: { reflex: "disabled", check: async () => ({ verdict: "allow" }) },
  };
}
