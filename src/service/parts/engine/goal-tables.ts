/** The tables that show goals to those who read them with SQL. */
import type { Log } from "../../../base/log.ts";
import { startNudgedLoop } from "../../../bus/nudged-loop.ts";
import type { GoalTables } from "../../../engine/ports/gate/goal-tables.ts";
import { isGoal } from "../../../engine/runs/goals/goal.ts";
import { GOAL_FLOW } from "../../../flows/builtin/ids.ts";
import { createGoalTableWriter } from "../../../store/goals/goal-tables.ts";
import type { Database } from "../../../store/sql/pool.ts";
import type { RunningEngine } from "../engine.ts";
import { COUNTING_SHARD, type Parts } from "../parts.ts";

/** Pause between two looks for what nobody announces, milliseconds: goals that retention erases, or others put off. */
const LOOK_EVERY_MS = 300_000;
/** The same while goals are put off. */
const RETRY_EVERY_MS = 5_000;

/** Pause between two comparisons of the tables with all goals, milliseconds. */
const COMPARE_EVERY_MS = 3_600_000;
/** The same after one that failed. */
const COMPARE_AGAIN_MS = 60_000;

/** Longest wait of a caller for the tables, milliseconds. */
const SHOW_MS = 1_000;

/** The tables, which follow what becomes of goals once the engine is there. */
export interface FollowingGoalTables extends GoalTables {
  attach(engine: Pick<RunningEngine, "observe" | "shards">): void;
}

/** Opens them. What changed before the store closes is shown before. */
export function openGoalTables(database: Database, log: Log, parts: Parts): FollowingGoalTables {
  const writer = createGoalTableWriter(database, log);
  let shards: Pick<RunningEngine["shards"], "owned"> = { owned: [] };
  const waiting: (() => void)[] = [];
  let isAway = false;
  let isFirst = true;
  let compareAt = 0;
  const showChanged = async (): Promise<void> => {
    const served = waiting.splice(0);
    try {
      await writer.showChanged();
      isAway = false;
    } catch (error) {
      isAway = true;
      served.push(...waiting.splice(0));
      throw error;
    } finally {
      for (const resolve of served) resolve();
    }
  };
  /** Returns whether there is more to compare. */
  const compare = async (): Promise<boolean> => {
    if (performance.now() < compareAt) return false;
    try {
      if (await writer.compare()) return true;
      compareAt = performance.now() + COMPARE_EVERY_MS;
    } catch (error) {
      compareAt = performance.now() + COMPARE_AGAIN_MS;
      log.warn("the tables tasks and task_results cannot be compared with goals; it is tried again", { error });
    }
    return false;
  };
  const loop = startNudgedLoop({
    step: async () => {
      await showChanged();
      if (!shards.owned.includes(COUNTING_SHARD)) return "nothing";
      if (isFirst) await writer.retryAll();
      isFirst = false;
      await writer.retry();
      // A page at a time, so that nobody waits for more.
      if (await compare()) return "more";
      return writer.hasPutOff ? { afterMs: RETRY_EVERY_MS } : "nothing";
    },
    failure: "the tables tasks and task_results cannot be written; goals go on without them",
    log,
  });
  const timer = setInterval(() => loop.nudge(), LOOK_EVERY_MS).unref();
  parts.onClose(async () => {
    clearInterval(timer);
    await loop.stop();
    // What this cannot show any more is marked for the next start.
    if (!isAway) await writer.showChanged().catch(() => {});
  });
  return {
    show: async () => {
      if (isAway) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const patience = setTimeout(resolve, SHOW_MS);
      waiting.push(resolve);
      loop.nudge();
      await promise;
      clearTimeout(patience);
    },
    attach(engine) {
      shards = engine.shards;
      engine.observe({
        committed({ state }) {
          if (isGoal(state)) loop.nudge();
        },
        deleted({ flowId }) {
          if (flowId === GOAL_FLOW) loop.nudge();
        },
      });
      loop.nudge();
    },
  };
}
