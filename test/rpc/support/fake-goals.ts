/** Lists of goals without goals, tables that nobody reads, and a check that lets all goals through. */
import type { RunKeys } from "../../../src/engine/ports/bus/run-keys.ts";
import type { GoalCheck } from "../../../src/engine/ports/gate/goal-check.ts";
import type { GoalTables } from "../../../src/engine/ports/gate/goal-tables.ts";
import type { Goals } from "../../../src/engine/ports/gate/goals.ts";
import { createGoalFlows, type GoalFlows } from "../../../src/flows/builtin/goal.ts";

/** Runs by request id. */
type Requests = Pick<RunKeys, "findRun">;

interface FakeGoals {
  readonly runKeys: Requests;
  readonly goals: Goals;
  readonly goalTables: GoalTables;
  readonly goalCheck: GoalCheck;
  readonly goalFlows: GoalFlows;
}

export function createFakeGoals(runKeys: Requests = { findRun: async () => null }): FakeGoals {
  return {
    runKeys,
    goals: { list: async () => [] },
    goalFlows: createGoalFlows(null),
    goalTables: { show: async () => {} },
    goalCheck: { reflex: "disabled", check: async () => ({ verdict: "allow" }) },
  };
}
