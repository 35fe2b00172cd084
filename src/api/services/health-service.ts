/** `orchestrator.health.v1.HealthService` and `grpc.health.v1.Health`: two contracts, one truth. */
import { create } from "@bufbuild/protobuf";
import { fail, toError } from "../../base/errors.ts";
import type { Health as GrpcHealth } from "../../gen/grpc/health/v1/health_pb.ts";
import {
  HealthCheckResponseSchema as GrpcResponseSchema,
  HealthCheckResponse_ServingStatus as GrpcStatus,
  HealthListResponseSchema,
} from "../../gen/grpc/health/v1/health_pb.ts";
import type { HealthService } from "../../gen/orchestrator/health/v1/health_pb.ts";
import { HealthCheckResponseSchema, ServingStatus } from "../../gen/orchestrator/health/v1/health_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import type { Health } from "../health.ts";
import { createQueue } from "../streams/queue.ts";

const STATUS = { SERVING: ServingStatus.SERVING, NOT_SERVING: ServingStatus.NOT_SERVING } as const;
const GRPC_STATUS = { SERVING: GrpcStatus.SERVING, NOT_SERVING: GrpcStatus.NOT_SERVING } as const;

/** Handlers of our own health service. */
export function createHealthService(health: Health): ServiceHandlers<typeof HealthService> {
  return {
    async check(request) {
      await health.refresh();
      const state = health.check(request.service) ?? fail("SERVICE_NOT_FOUND", { service: request.service });
      return create(HealthCheckResponseSchema, { status: STATUS[state] });
    },
  };
}

/** Handlers of the health service that load balancers know: unknown names are NOT_FOUND for Check, and SERVICE_UNKNOWN on an open stream for Watch. */
export function createGrpcHealthService(health: Health, draining: AbortSignal): ServiceHandlers<typeof GrpcHealth> {
  return {
    async check(request) {
      await health.refresh();
      const state = health.check(request.service) ?? fail("SERVICE_NOT_FOUND", { service: request.service });
      return create(GrpcResponseSchema, { status: GRPC_STATUS[state] });
    },
    async list() {
      const statuses = Object.fromEntries(
        [...health.list()].map(([name, state]) => [name, { status: GRPC_STATUS[state] }]),
      );
      return create(HealthListResponseSchema, { statuses });
    },
    async *watch(request, call) {
      const changes = createQueue<null>(AbortSignal.any([call.signal, draining]));
      const stop = health.subscribe(() => changes.push(null));
      try {
        let last: GrpcStatus | null = null;
        for (;;) {
          const state = health.check(request.service);
          const status = state === null ? GrpcStatus.SERVICE_UNKNOWN : GRPC_STATUS[state];
          if (status !== last) yield create(GrpcResponseSchema, { status });
          last = status;
          if ((await changes.take()) === undefined)
            throw call.signal.aborted ? call.signal.reason : toError("SHUTTING_DOWN");
        }
      } finally {
        stop();
      }
    },
  };
}
