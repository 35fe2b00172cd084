/** What the flow registry offers to the API and the engine. */

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
  /** Nodes and edges of its LangGraph graph, stored so that a plan can be made without LangGraph. */
  readonly structure: Structure;
  /** Source text as submitted; canonical JSON if a document was submitted. */
  readonly source: string;
  readonly createdAt: number;
  /** Whether this version runs when no version is given. */
  readonly latest: boolean;
  /** What is wrong with the stored row; absent if nothing is. Only lists show such a version. */
  readonly damage?: string;
}

/** Result of a registration. */
export interface RegisterResult {
  /** Null if there are problems and only validation was requested. */
  readonly flow: FlowVersion | null;
  /** False if the same content was registered before under this version. */
  readonly created: boolean;
  readonly problems: readonly FieldViolation[];
  /** What is accepted but most likely not intended; empty if there are problems. */
  readonly warnings: readonly FlowWarning[];
}

/** Flows of all tenants. Versions never change. */
export interface FlowRegistry {
  /**
   * Checks and stores a flow. Errors: FLOW_INVALID with all problems (unless `validateOnly`), FLOW_SOURCE_INVALID,
   * FLOW_VERSION_EXISTS.
   */
  registerFlow(
    tenantId: string,
    source: { readonly text: string } | { readonly document: JsonObject },
    validateOnly: boolean,
  ): Promise<RegisterResult>;
  /** The same for a flow that the service itself brings: its id is reserved, and {@link registerFlow} refuses it. */
  registerBuiltIn(tenantId: string, document: JsonObject): Promise<RegisterResult>;
  /** Checks a flow as a registration does, and stores nothing. Errors: those of {@link registerFlow}. */
  compile(
    tenantId: string,
    source: { readonly text: string } | { readonly document: JsonObject },
  ): Promise<{ readonly plan: Plan; readonly document: JsonObject }>;
  /** Returns a version. An empty version means the last registered one. Error: FLOW_NOT_FOUND. */
  getFlow(tenantId: string, flowId: string, version: string): Promise<FlowVersion>;
  /**
   * Lists the latest version of each flow, by id. If `signal` aborts, the list is canceled, in the database too, and
   * throws the signal's reason.
   */
  listFlows(
    tenantId: string,
    afterFlowId: string,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly FlowVersion[]>;
  /**
   * Lists the versions of one flow, newest first. `before` is a position: creation time and version of the last line;
   * null starts from the newest. `signal` works as above.
   */
  listVersions(
    tenantId: string,
    flowId: string,
    before: { readonly createdAt: number; readonly version: string } | null,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly FlowVersion[]>;
  /**
   * Deletes a version that no run uses. Resolves with the time of the deletion, milliseconds. A call with the same
   * `requestId` gets the same answer as the first time, whatever has been registered since; with an empty one, every
   * call is new. Errors: FLOW_NOT_FOUND, FLOW_IN_USE, REQUEST_ID_REUSED.
   */
  deleteVersion(tenantId: string, flowId: string, version: string, requestId: string): Promise<number>;
  /** Returns the Mermaid text of the flow's LangGraph graph. */
  drawFlow(
    tenantId: string,
    flowId: string,
    version: string,
  ): Promise<{ readonly version: string; readonly mermaid: string }>;
  /** Returns the plan to start runs with. Error: FLOW_NOT_FOUND. */
  planFor(tenantId: string, flowId: string, version: string): Promise<Plan>;
  /**
   * Discards what {@link planFor} has cached: the version was deleted, or registered anew, since it was read. An empty
   * version means the last registered one.
   */
  forget(tenantId: string, flowId: string, version: string): void;
  /** Whether bounds are declared for a limit, as of a moment ago at most. */
  isLimitDeclared(tenantId: string, name: string): Promise<boolean>;
  /** Returns the plan of an existing run, by content. Error: FLOW_NOT_FOUND. */
  planByHash(tenantId: string, flowId: string, hash: string): Promise<Plan>;
}
