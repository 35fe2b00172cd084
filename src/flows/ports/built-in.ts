/** Flows that the service itself brings. */
import type { JsonObject } from "../../base/json/json.ts";

/** Ids of these flows. */
export type BuiltInFlowId =
  | "orchestrator-canary"
  | "orchestrator-generation"
  | "orchestrator-goal"
  | "orchestrator-goal-plan"
  | "orchestrator-goal-work"
  | "orchestrator-route";

/** What the service brings: a document without a version. */
export type BuiltInDocument = JsonObject & { readonly id: BuiltInFlowId };

/** A registered version. */
export interface UsedFlow {
  readonly flowId: string;
  readonly version: string;
}

/** Registers them for the tenants that use them. */
export interface BuiltInFlows {
  /** The version of a document, which is registered unless it is known. */
  use(tenantId: string, document: BuiltInDocument): Promise<UsedFlow>;
  /** The version turned out to be deleted: the next use registers it again. */
  forget(tenantId: string, document: BuiltInDocument): void;
}
