/** Budgets: the meters of calls to models and of attempts, and the runs that wait for a raise. */
import { toBudgetId } from "../../api/mapping/limits/budget.ts";
import type { Log } from "../../base/log.ts";
import { systemClock } from "../../base/time/clock.ts";
import { startNudgedLoop } from "../../bus/nudged-loop.ts";
import type { Config } from "../../config/settings.ts";
import { CountingMeter } from "../../engine/budgets/attempt-meter.ts";
import { explainWarning } from "../../engine/budgets/explain-shortage.ts";
import { BudgetMeter, type BudgetMetrics } from "../../engine/budgets/meter.ts";
import { resumeRaised } from "../../engine/budgets/raised.ts";
import type { AttemptMeter } from "../../engine/ports/models/attempts.ts";
import type { BudgetControl, BudgetHolds, RaisableBudget } from "../../engine/ports/models/budgets.ts";
import type { ModelMeter } from "../../engine/ports/models/meter.ts";
import type { SharedClock } from "../../engine/ports/shared-clock.ts";
import { createAttemptLedger } from "../../store/budgets/attempt-ledger.ts";
import { createBudgetControl } from "../../store/budgets/budget-control.ts";
import { createBudgetLedger } from "../../store/budgets/ledger.ts";
import { removeOldSpending } from "../../store/budgets/spending-retention.ts";
import { keepRecent } from "../../store/retention.ts";
import type { Database } from "../../store/sql/pool.ts";
import type { RunningEngine } from "./engine.ts";
import { COUNTING_SHARD, type Parts } from "./parts.ts";

/** Dollars → millionths of a dollar. */
const MICROS = 1_000_000;

/** Pause between two looks for what nobody announces, milliseconds: calls whose instance is gone. */
const LOOK_EVERY_MS = 300_000;

export interface Budgets {
  readonly budgets: BudgetControl;
  readonly meter: ModelMeter;
  readonly attemptMeter: AttemptMeter;
  /** Runs can be held, and go on, from now on. */
  attach(engine: Pick<RunningEngine, "holdForBudget" | "warnOfBudget" | "runControl" | "shards" | "sharedClock">): void;
}

/** Opens them. The meter settles what is under way before it is closed. */
export function openBudgets(
  { models: { usageRetention } }: Config,
  { database, instanceId }: { readonly database: Database; readonly instanceId: string },
  log: Log,
  parts: Parts,
): Budgets {
  const { metrics } = parts;
  const keptMs = usageRetention === 0 ? Number.POSITIVE_INFINITY : usageRetention;
  const removeSpending = (isStopping: () => boolean) => removeOldSpending(database, keptMs, isStopping);
  const retention = keepRecent("usage of models", removeSpending, keptMs, log);
  parts.onClose(() => retention.stop());
  const store = createBudgetControl(database);
  let hold: RunningEngine["holdForBudget"] = async () => {};
  let tell: RunningEngine["warnOfBudget"] = async () => {};
  let clock: SharedClock = systemClock;
  let stopping = false;
  const holds: BudgetHolds = { hold: (runId, why) => hold(runId, why) };
  const warn = (budget: RaisableBudget, spender: string): void => {
    const { tenantId, scope, id, settled: spent, maxCostMicros, maxTokens, maxSteps, maxTimeMs } = budget;
    metrics.counter("orchestrator_budget_warnings_total", scope).add();
    const fields = { tenantId, scope, id, spent, maxCostMicros, maxTokens, maxSteps, maxTimeMs };
    log.warn("a budget is nearly used up: runs will wait until it is raised", fields);
    const runId = scope === "run" ? id : spender;
    tell(runId, toBudgetId(budget), explainWarning(budget)).catch((error: unknown) =>
      log.debug("a run does not have the warning of its budget", { tenantId, runId, error }),
    );
  };
  const refused: BudgetMetrics["refused"] = (scope, how) =>
    metrics.counter("orchestrator_budget_refusals_total", scope, how).add();
  const attemptMeter = new CountingMeter({
    ledger: createAttemptLedger(database),
    ...{ holds, warn, log, metrics: { refused } },
    isStopping: () => stopping,
  });
  const meter = new BudgetMeter({
    ledger: createBudgetLedger(database, instanceId),
    ...{ holds, warn, log },
    now: () => clock.now(),
    isStopping: () => stopping,
    metrics: {
      settled({ provider, model }, { inputTokens, outputTokens, costMicros }) {
        metrics.counter("orchestrator_ai_tokens_total", provider, model, "input").add(inputTokens);
        metrics.counter("orchestrator_ai_tokens_total", provider, model, "output").add(outputTokens);
        if (costMicros !== null)
          metrics.counter("orchestrator_ai_cost_usd_total", provider, model).add(costMicros / MICROS);
      },
      overran: ({ provider, model }) => metrics.counter("orchestrator_budget_overrun_total", provider, model).add(),
      refused,
      abandoned: (count) => metrics.counter("orchestrator_budget_abandoned_calls_total").add(count),
    },
  });
  parts.onClose(async () => {
    stopping = true;
    await Promise.all([meter.close(), attemptMeter.close()]);
  });
  return {
    budgets: store,
    meter,
    attemptMeter,
    attach({ holdForBudget, warnOfBudget, runControl: control, shards, sharedClock }) {
      clock = sharedClock;
      hold = holdForBudget;
      tell = warnOfBudget;
      const loop = startNudgedLoop({
        step: async () => {
          await resumeRaised({ raises: store, control, shards, log });
          if (shards.owned.includes(COUNTING_SHARD)) await meter.chargeAbandoned();
          return { afterMs: LOOK_EVERY_MS };
        },
        failure: "calls to models whose instance is gone, and runs whose budgets were raised, cannot be looked for",
        log,
      });
      loop.nudge();
      const deaf = store.listen(() => loop.nudge());
      parts.onClose(async () => {
        await deaf();
        await loop.stop();
      });
    },
  };
}
