/** Ids of flows that the service itself brings. */
import { fail } from "../../base/errors.ts";
import type { BuiltInFlowId } from "../ports/built-in.ts";

/** Flows whose ids begin like this cannot be registered or started by callers. */
export const RESERVED_PREFIX = "orchestrator-";

/** The flow of routed tasks. */
export const ROUTE_FLOW = "orchestrator-route" satisfies BuiltInFlowId;

/** The flow of goals. */
export const GOAL_FLOW = "orchestrator-goal" satisfies BuiltInFlowId;

/** The flow of generations: it writes a template, and waits until somebody has approved it. */
export const GENERATION_FLOW = "orchestrator-generation" satisfies BuiltInFlowId;

const ALL: Readonly<Record<BuiltInFlowId, true>> = {
  [ROUTE_FLOW]: true,
  [GOAL_FLOW]: true,
  [GENERATION_FLOW]: true,
};

/** All flows that the service brings: lists show their runs only if the filter names them. */
export const BUILT_IN_FLOWS: readonly string[] = Object.keys(ALL);

/** How versions of these flows begin; the rest is named after their content. */
export const BUILT_IN_VERSION = "builtin-";

/** Whether the id is kept for flows of the service. */
export function isReservedFlowId(flowId: unknown): boolean {
  return typeof flowId === "string" && flowId.startsWith(RESERVED_PREFIX);
}

/** Refuses to start such a flow for a caller. Error: FLOW_RESERVED. */
export function checkStartable(flowId: string): void {
  if (isReservedFlowId(flowId)) fail("FLOW_RESERVED", { flowId, prefix: RESERVED_PREFIX });
}
