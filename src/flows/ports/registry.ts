/** What the registry of flows offers to the API and the engine. */

import type { FieldViolation } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import type { Structure } from "../graph/structure.ts";
import type { Plan } from "../plan.ts";
import type { FlowWarning } from "../warnings/warning.ts";

/** A registered flow version. */
export interface FlowVersion {
  readonly tenantId: string;
  readonly flowId: string;
  readonly version: string;
  /** Hex SHA-256 of the canonical document. */
  readonly hash: string;
  readonly name: string;
  readonly description: string;
  readonly kind: Plan["kind"];
  /** The document as registered, before defaults. */
  readonly document: JsonObject;
  /** Nodes and connections of its LangGraph graph, kept so that a plan can be made without LangGraph. */
  readonly structure: Structure;
  /** Source text as it came; the canonical JSON when a document came. */
  readonly source: string;
  readonly createdAt: number;
  /** True for the version that runs when none is named. */
  readonly latest: boolean;
  /** What is wrong with the stored row; absent when nothing is. Only lists show such a version. */
  readonly damage?: string;
}

/** Answer to a registration. */
export interface RegisterResult {
  /** Null when there are problems and only validation was asked for. */
  readonly flow: FlowVersion | null;
  /** False when the same content was registered before under this version. */
  readonly created: boolean;
  readonly problems: readonly FieldViolation[];
  /** What is accepted and most likely not meant; empty when there are problems. */
  readonly warnings: readonly FlowWarning[];
}

/** Flows of all tenants; versions never change. */
export interface FlowRegistry {
  /** Checks and stores a flow. Errors: FLOW_INVALID with all problems (unless `validateOnly`), FLOW_SOURCE_INVALID, FLOW_VERSION_EXISTS. */
  registerFlow(
    tenantId: string,
    source: { readonly text: string } | { readonly document: JsonObject },
    validateOnly: boolean,
  ): Promise<RegisterResult>;
  /** Error: FLOW_NOT_FOUND. Empty version: the last registered. */
  getFlow(tenantId: string, flowId: string, version: string): Promise<FlowVersion>;
  /** Latest version of each flow, by id. A list whose `signal` aborts is given up, in the database too, and throws the signal's reason. */
  listFlows(
    tenantId: string,
    afterFlowId: string,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly FlowVersion[]>;
  /** Versions of one flow, newest first. `before` is a position: creation time and version of the last line; null: from the newest. `signal` as above. */
  listVersions(
    tenantId: string,
    flowId: string,
    before: { readonly createdAt: number; readonly version: string } | null,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly FlowVersion[]>;
  /**
   * Deletes a version that no run uses, and resolves with the time, milliseconds. The same `requestId` again is answered like the first time, whatever
   * has been registered since; empty: every call is a new one. Errors: FLOW_NOT_FOUND, FLOW_IN_USE, REQUEST_ID_REUSED.
   */
  deleteVersion(tenantId: string, flowId: string, version: string, requestId: string): Promise<number>;
  /** Mermaid text of the flow's LangGraph graph. */
  drawFlow(
    tenantId: string,
    flowId: string,
    version: string,
  ): Promise<{ readonly version: string; readonly mermaid: string }>;
  /** Plan to start runs with. Error: FLOW_NOT_FOUND. */
  planFor(tenantId: string, flowId: string, version: string): Promise<Plan>;
  /** Forgets what {@link planFor} knows: the version was deleted, or registered anew, since it was read. Empty version: the last registered. */
  forget(tenantId: string, flowId: string, version: string): void;
  /** Plan of a run in flight, by content. Error: FLOW_NOT_FOUND. */
  planByHash(tenantId: string, flowId: string, hash: string): Promise<Plan>;
}
