/** Lists of goals without goals. */
import type { GoalCheck } from "../../../src/engine/ports/gate/goal-check.ts";
import type { Goals } from "../../../src/engine/ports/gate/goals.ts";

interface FakeGoals {
  readonly goals: Goals;
  readonly goalCheck: GoalCheck | null;
}

/** Goals are not checked unless there is a check. */
export function createFakeGoals(goalCheck: GoalCheck | null = null): FakeGoals {
  return { goals: { list: async () => [] }, goalCheck };
}
