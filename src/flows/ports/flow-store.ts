/** The store behind the registry of flows. */
import type { Structure } from "../graph/structure.ts";
import type { FlowRegistry, FlowVersion } from "./registry.ts";

/** What a version stores of its LangGraph graph. */
export type { Structure };

/** What the registry needs from a store. */
export interface FlowStore extends Pick<FlowRegistry, "listFlows" | "listVersions"> {
  /** Stores a version with the limits that it names; returns null if (tenant, flow, version) exists. */
  insert(flow: NewFlowVersion, limits: readonly FlowLimit[]): Promise<FlowVersion | null>;
  /** Those of these limits that are declared. */
  listDeclared(tenantId: string, names: readonly string[]): Promise<readonly string[]>;
  /** Finds a version. An empty version means the last registered one. */
  find(tenantId: string, flowId: string, version: string): Promise<FlowVersion | null>;
  findByHash(tenantId: string, flowId: string, hash: string): Promise<FlowVersion | null>;
  /** Deletes a version that no run uses. The journal refuses a start that commits later (`gone`). */
  deleteVersion(tenantId: string, flowId: string, version: string, requestId: string): Promise<FlowDeletion>;
}

/**
 * Result of a deletion: done now, or earlier by the same request; there is no such version; runs use it (`runId` is one
 * of them, empty if it is gone by now); or the request id belongs to the deletion of another version.
 */
export type FlowDeletion =
  | { readonly outcome: "deleted"; readonly deletedAt: number }
  | { readonly outcome: "missing" }
  | { readonly outcome: "used"; readonly count: number; readonly runId: string }
  | { readonly outcome: "reused" };

/** A limit that a version names. `relies`: a task has no bounds of its own. */
export interface FlowLimit {
  readonly name: string;
  readonly relies: boolean;
}

/** A version that is not stored yet. */
export type NewFlowVersion = Omit<FlowVersion, "createdAt" | "latest">;
