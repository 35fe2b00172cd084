/** FlowService: registers and reads single flows. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { checkJson, parseJson } from "../../base/json/json-parse.ts";
import { checkStartable } from "../../flows/builtin/ids.ts";
import type { FlowRegistry } from "../../flows/ports/registry.ts";
import { FlowSchema } from "../../gen/orchestrator/v1/flow_pb.ts";
import type { FlowService, RegisterFlowRequest } from "../../gen/orchestrator/v1/flow_service_pb.ts";
import {
  DeleteFlowVersionResponseSchema,
  GetFlowGraphResponseSchema,
  GetFlowResponseSchema,
  RegisterFlowResponseSchema,
} from "../../gen/orchestrator/v1/flow_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { toFlow, toProblems, toWarnings } from "../mapping/flow.ts";
import { parseReadMask } from "../mapping/read-mask.ts";
import { toTimestamp } from "../mapping/time.ts";

/** Limits of definitions. */
interface FlowLimits {
  /** Largest definition, bytes. */
  readonly maxFlowBytes: number;
}

export interface DefinitionNeeds {
  readonly flows: FlowRegistry;
  readonly limits: FlowLimits;
}

/** Methods of FlowService for single flows. */
export type FlowMethods = Pick<
  ServiceHandlers<typeof FlowService>,
  "registerFlow" | "getFlow" | "getFlowGraph" | "deleteFlowVersion"
>;

export function createFlowDefinitions({ flows, limits }: DefinitionNeeds): FlowMethods {
  return {
    async registerFlow(request, call) {
      const result = await flows.registerFlow(
        call.caller.tenantId,
        readDefinition(request.definition, limits),
        request.validateOnly,
      );
      const response = create(RegisterFlowResponseSchema, {
        created: result.created,
        problems: toProblems(result.problems),
        warnings: toWarnings(result.warnings),
      });
      if (result.flow !== null) response.flow = toFlow(result.flow, true);
      return response;
    },

    async getFlow(request, call) {
      const mask = parseReadMask(FlowSchema, request.readMask);
      const flow = toFlow(
        await flows.getFlow(call.caller.tenantId, request.flowId, request.version),
        mask.wants("source"),
      );
      mask.prune(flow);
      return create(GetFlowResponseSchema, { flow });
    },

    async deleteFlowVersion({ flowId, version, requestId }, { caller }) {
      checkStartable(flowId);
      const deletedAt = await flows.deleteVersion(caller.tenantId, flowId, version, requestId);
      return create(DeleteFlowVersionResponseSchema, { flowId, version, deleteTime: toTimestamp(deletedAt) });
    },

    async getFlowGraph(request, call) {
      const drawn = await flows.drawFlow(call.caller.tenantId, request.flowId, request.version);
      return create(GetFlowGraphResponseSchema, {
        flowId: request.flowId,
        version: drawn.version,
        mermaid: drawn.mermaid,
      });
    },
  };
}

/** Reads a definition. Errors: FLOW_SOURCE_INVALID, INVALID_JSON, INVALID_REQUEST, PAYLOAD_TOO_LARGE. */
export function readDefinition(
  definition: RegisterFlowRequest["definition"],
  { maxFlowBytes }: FlowLimits,
): { readonly text: string } | { readonly document: JsonObject } {
  switch (definition.case) {
    case "source": {
      const size = Buffer.byteLength(definition.value);
      if (size > maxFlowBytes) fail("PAYLOAD_TOO_LARGE", { field: "source", size, limit: maxFlowBytes });
      return { text: definition.value };
    }
    case "documentJson": {
      const document = parseJson(definition.value, { field: "document_json", maxBytes: maxFlowBytes });
      if (typeof document !== "object" || document === null || Array.isArray(document)) {
        fail("FLOW_SOURCE_INVALID", { problem: "document_json must contain a JSON object" });
      }
      return { document: document as JsonObject };
    }
    case "document": {
      checkJson(definition.value, { field: "document" });
      return { document: definition.value };
    }
    default:
      return fail("INVALID_REQUEST", {
        problem: "definition: one of source, document_json, document must be set",
        field: "definition",
      });
  }
}
