/** Routed tasks: their flow, their lists, their counts, and the end of their history. */
import type { Log } from "../../../base/log.ts";
import { systemClock } from "../../../base/time/clock.ts";
import type { Config } from "../../../config/settings.ts";
import type { RoutedTasks, RoutingStats } from "../../../engine/ports/routing/routed-tasks.ts";
import { keepRoutedHistory } from "../../../engine/runs/routed/routed-history.ts";
import { createRoutingCounts } from "../../../engine/runs/routed/routing-counts.ts";
import { createBuiltInFlows } from "../../../flows/builtin/built-in-flows.ts";
import type { RouteRules } from "../../../flows/builtin/route.ts";
import type { BuiltInFlows } from "../../../flows/ports/built-in.ts";
import type { FlowRegistry } from "../../../flows/ports/registry.ts";
import { createRoutedTasks } from "../../../store/routing/routed-tasks.ts";
import type { Database } from "../../../store/sql/pool.ts";
import type { RunningEngine } from "../engine.ts";
import type { Parts } from "../parts.ts";

/** What routes tasks. */
export interface Routing {
  readonly builtIns: BuiltInFlows;
  readonly routedTasks: RoutedTasks;
  readonly routingStats: RoutingStats;
  readonly routeRules: RouteRules;
  /** Tasks that each tenant keeps. */
  readonly routedHistory: number;
}

interface RoutingNeeds {
  readonly database: Database;
  readonly engine: RunningEngine;
  readonly flows: FlowRegistry;
}

/** Opens it: counts from now on, and deletes what nobody keeps. */
export function openRouting(
  config: Config,
  { database, engine, flows }: RoutingNeeds,
  log: Log,
  parts: Parts,
): Routing {
  const { taskMaxHistory: keep, taskMaxRetries: maxRetries, taskTimeout: timeoutMs } = config.routing;
  const store = createRoutedTasks(database);
  const { observer, ...routingStats } = createRoutingCounts(keep, systemClock);
  engine.observe(observer);
  const history = keepRoutedHistory({ history: store, control: engine.runControl, shards: engine.shards, keep, log });
  engine.observe(history.observer);
  parts.onClose(() => history.stop());
  return {
    builtIns: createBuiltInFlows(flows),
    routedTasks: store,
    routingStats,
    routeRules: { maxRetries, timeoutMs },
    routedHistory: keep,
  };
}
