/** Ids of flows that the service itself brings. */
import { fail } from "../../base/errors.ts";
import type { BuiltInFlowId } from "../ports/built-in.ts";

/** Flows whose ids begin like this cannot be registered or started by callers. */
export const RESERVED_PREFIX = "orchestrator-";

/** The flow of routed tasks. */
export const ROUTE_FLOW = "orchestrator-route" satisfies BuiltInFlowId;

/** The flow of goals. */
export const GOAL_FLOW = "orchestrator-goal" satisfies BuiltInFlowId;

/** The flow that does a goal: it has a plan written, and runs it. */
export const GOAL_WORK_FLOW = "orchestrator-goal-work" satisfies BuiltInFlowId;

/** The flow whose versions are the plans of goals. */
export const GOAL_PLAN_FLOW = "orchestrator-goal-plan" satisfies BuiltInFlowId;

/** The flow of generations: it writes a template, and waits until somebody has approved it. */
export const GENERATION_FLOW = "orchestrator-generation" satisfies BuiltInFlowId;

/** The flow of canaries: runs that the service starts to see whether it works. */
export const CANARY_FLOW = "orchestrator-canary" satisfies BuiltInFlowId;

const ALL: Readonly<Record<BuiltInFlowId, true>> = {
  [ROUTE_FLOW]: true,
  [GOAL_FLOW]: true,
  [GOAL_WORK_FLOW]: true,
  [GOAL_PLAN_FLOW]: true,
  [GENERATION_FLOW]: true,
  [CANARY_FLOW]: true,
};

/** All flows that the service brings: lists show their runs only if the filter names them. */
export const BUILT_IN_FLOWS: readonly string[] = Object.keys(ALL);

/** How versions of these flows begin; the rest is named after their content. */
export const BUILT_IN_VERSION = "builtin-";

/** Whether the id is kept for flows of the service. */
export function isReservedFlowId(flowId: unknown): boolean {
  return typeof flowId === "string" && flowId.startsWith(RESERVED_PREFIX);
}

/**
 * Whether the service has written a flow, which plans of goals are not, whose ids are reserved, too. The runs of such
 * flows may start others of them as child runs.
 */
export function isWrittenByService(flowId: string): boolean {
  return isReservedFlowId(flowId) && flowId !== GOAL_PLAN_FLOW;
}

/**
 * Refuses to start such a flow for a caller, or to delete a version of it: the service counts on those that it has
 * registered. Error: FLOW_RESERVED.
 */
export function checkStartable(flowId: string): void {
  if (isReservedFlowId(flowId)) fail("FLOW_RESERVED", { flowId, prefix: RESERVED_PREFIX });
}
