/** The store behind the registry of flows. */
import type { Structure } from "../graph/structure.ts";
import type { FlowRegistry, FlowVersion } from "./registry.ts";

/** What a version keeps of its LangGraph graph. */
export type { Structure };

/** What the registry needs of a store. */
export interface FlowStore extends Pick<FlowRegistry, "listFlows" | "listVersions"> {
  /** Stores a version; null when (tenant, flow, version) exists. */
  insert(flow: NewFlowVersion): Promise<FlowVersion | null>;
  /** Empty version: the last registered. */
  find(tenantId: string, flowId: string, version: string): Promise<FlowVersion | null>;
  findByHash(tenantId: string, flowId: string, hash: string): Promise<FlowVersion | null>;
  /** Deletes a version that no run uses. A start that commits later is refused by the journal (`gone`). */
  deleteVersion(tenantId: string, flowId: string, version: string, requestId: string): Promise<FlowDeletion>;
}

/**
 * What became of a deletion: done now, or by the same request before; there is no such version; runs use it (`runId` is one of them, empty when it
 * has gone meanwhile); or the request id belongs to the deletion of another version.
 */
export type FlowDeletion =
  | { readonly outcome: "deleted"; readonly deletedAt: number }
  | { readonly outcome: "missing" }
  | { readonly outcome: "used"; readonly count: number; readonly runId: string }
  | { readonly outcome: "reused" };

/** A version that is not stored yet. */
export type NewFlowVersion = Omit<FlowVersion, "createdAt" | "latest">;
