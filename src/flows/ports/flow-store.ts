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
}

/** A version that is not stored yet. */
export type NewFlowVersion = Omit<FlowVersion, "createdAt" | "latest">;
