/** OperationService: bulk jobs over runs. */
import { create } from "@bufbuild/protobuf";
import { refuseField } from "../../base/field-error.ts";
import type { OperationPosition, Operations, OperationTarget, OperationView } from "../../engine/ports/operations.ts";
import {
  CancelOperationResponseSchema,
  GetOperationResponseSchema,
  ListOperationsResponseSchema,
  OperationService,
  type StartOperationRequest,
  StartOperationResponseSchema,
  WaitOperationResponseSchema,
} from "../../gen/orchestrator/v1/operation_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { hashBody } from "../calls/request-key.ts";
import { defineService } from "../calls/services.ts";
import { meetsCondition } from "../lists/condition.ts";
import { parseOperationFilter, readOperation } from "../lists/operation-filter.ts";
import { orderOf, pageSizeOf, scanPage } from "../lists/paging.ts";
import { parseRunFilter, toStoreFilter } from "../lists/run-filter.ts";
import { type Tokens, toPlace } from "../lists/tokens.ts";
import { fromAction, toOperation } from "../mapping/operation.ts";
import { fromWait } from "./runs/run-start.ts";

interface Needs {
  readonly operations: Operations;
  readonly tokens: Tokens;
}

function createHandlers({ operations, tokens }: Needs): ServiceHandlers<typeof OperationService> {
  return {
    async startOperation(request, { caller }) {
      const action = fromAction(request);
      const target = toTarget(request);
      const { requestId } = request;
      const requestHash = hashBody({ method: "StartOperation", action, target });
      const view = await operations.startOperation(caller, { action, target, requestId, requestHash });
      return create(StartOperationResponseSchema, { operation: toOperation(view) });
    },

    async getOperation({ operationId }, { caller }) {
      const view = await operations.getOperation(caller, operationId);
      return create(GetOperationResponseSchema, { operation: toOperation(view) });
    },

    async listOperations(request, { caller }) {
      const condition = parseOperationFilter(request.filter);
      const order = orderOf(request.orderBy, "newest");
      const query = ["ListOperations", request.filter, order];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const source = {
        read: (after: OperationPosition | null, limit: number) =>
          operations.listOperations(caller, after, limit, order),
        placeOf: ({ createdAt, operationId }: OperationView): OperationPosition => ({ createdAt, operationId }),
      };
      const { lines, next } = await scanPage(
        source,
        place === null ? null : { createdAt: Number(place[0]), operationId: String(place[1]) },
        pageSizeOf(request.pageSize),
        (view) => condition === null || meetsCondition(condition, readOperation(view)),
      );
      return create(ListOperationsResponseSchema, {
        operations: lines.map(toOperation),
        nextPageToken:
          next === null ? "" : tokens.toPageToken(caller.tenantId, query, [toPlace(next.createdAt), next.operationId]),
      });
    },

    async waitOperation({ operationId, wait }, call) {
      const { caller, signal } = call;
      const waitMs = fromWait(wait, call.remainingMs());
      const view = await operations.waitOperation(caller, operationId, waitMs, signal);
      return create(WaitOperationResponseSchema, { operation: toOperation(view) });
    },

    async cancelOperation({ operationId }, { caller }) {
      const view = await operations.cancelOperation(caller, operationId);
      return create(CancelOperationResponseSchema, { operation: toOperation(view) });
    },
  };
}

function toTarget({ filter, runIds }: StartOperationRequest): OperationTarget {
  if (runIds.length > 0) return { type: "runs", runIds: [...new Set(runIds)] };
  if (filter.trim() === "") return refuseField("filter", "is blank; set a filter or run_ids");
  return { type: "filter", text: filter, filter: toStoreFilter(parseRunFilter(filter)) };
}

export const operationService = defineService(OperationService, createHandlers);
