/** FlowService: lists of flows and versions. */
import { create } from "@bufbuild/protobuf";
import type { FlowRegistry, FlowVersion } from "../../flows/ports/registry.ts";
import type { FlowKind } from "../../gen/orchestrator/v1/flow_pb.ts";
import type { FlowService } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import { ListFlowsResponseSchema, ListFlowVersionsResponseSchema } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import type { FieldTable, ReadField } from "../lists/condition.ts";
import { meetsCondition } from "../lists/condition.ts";
import { parseFilter } from "../lists/filter.ts";
import { cutPage, pageSizeOf, scanPage } from "../lists/paging.ts";
import { type Place, type Tokens, toPlace } from "../lists/tokens.ts";
import type { FLOW_KIND } from "../mapping/enums.ts";
import { toFlow } from "../mapping/flow.ts";

/** Methods of FlowService that list. */
export type FlowListMethods = Pick<ServiceHandlers<typeof FlowService>, "listFlows" | "listFlowVersions">;

const KIND_NAME = { dag: "TASKS", fsm: "STATES", graph: "GRAPH" } as const satisfies Record<
  keyof typeof FLOW_KIND,
  Exclude<keyof typeof FlowKind, "UNSPECIFIED">
>;

const FIELDS: FieldTable = {
  flow_id: { kind: "text" },
  version: { kind: "text" },
  name: { kind: "text" },
  category: { kind: "text" },
  kind: { kind: "state", values: Object.values(KIND_NAME), prefix: "FLOW_KIND_" },
  create_time: { kind: "time" },
};

export interface FlowListNeeds {
  readonly flows: FlowRegistry;
  readonly tokens: Tokens;
}

export function createFlowLists({ flows, tokens }: FlowListNeeds): FlowListMethods {
  return {
    async listFlows(request, { caller, signal }) {
      const condition = parseFilter(request.filter, FIELDS);
      const query = ["ListFlows", request.filter];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const source = {
        read: (after: string | null, limit: number) => flows.listFlows(caller.tenantId, after ?? "", limit, signal),
        placeOf: (flow: FlowVersion) => flow.flowId,
      };
      const meets = (flow: FlowVersion): boolean => condition === null || meetsCondition(condition, readFlow(flow));
      const page = await scanPage(
        source,
        place === null ? null : String(place[0]),
        pageSizeOf(request.pageSize),
        meets,
      );
      const nextPageToken = page.next === null ? "" : tokens.toPageToken(caller.tenantId, query, [page.next]);
      return create(ListFlowsResponseSchema, { flows: page.lines.map((flow) => toFlow(flow, false)), nextPageToken });
    },

    async listFlowVersions(request, { caller, signal }) {
      const query = ["ListFlowVersions", request.flowId];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const size = pageSizeOf(request.pageSize);
      // Throws FLOW_NOT_FOUND for a flow without versions.
      await flows.getFlow(caller.tenantId, request.flowId, "");
      const before = place === null ? null : { createdAt: Number(place[0]), version: String(place[1]) };
      const versions = await flows.listVersions(caller.tenantId, request.flowId, before, size + 1, signal);
      const { lines, next } = cutPage(versions, size, (flow): Place => [toPlace(flow.createdAt), flow.version]);
      const nextPageToken = next === null ? "" : tokens.toPageToken(caller.tenantId, query, next);
      return create(ListFlowVersionsResponseSchema, { flows: lines.map((flow) => toFlow(flow, false)), nextPageToken });
    },
  };
}

function readFlow(flow: FlowVersion): ReadField {
  return ({ name }) => {
    switch (name) {
      case "flow_id":
        return flow.flowId;
      case "version":
        return flow.version;
      case "name":
        return flow.name;
      case "category":
        return typeof flow.document.category === "string" ? flow.document.category : "";
      case "kind":
        return KIND_NAME[flow.kind];
      default:
        return flow.createdAt;
    }
  };
}
