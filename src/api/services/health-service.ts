/** `orchestrator.health.v1.HealthService` and `grpc.health.v1.Health`, on the same state. */
import { create } from "@bufbuild/protobuf";
import { fail, toError } from "../../base/errors.ts";
import { createQueue } from "../../base/queue.ts";
import {
  Health as GrpcHealth,
  HealthCheckResponseSchema as GrpcResponseSchema,
  HealthCheckResponse_ServingStatus as GrpcStatus,
  HealthListResponseSchema,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { HealthCheckResponseSchema, HealthService, ServingStatus } from "../../gen/orchestrator/health/v1/health_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import type { Health } from "../health.ts";

const STATUS = { SERVING: ServingStatus.SERVING, NOT_SERVING: ServingStatus.NOT_SERVING } as const;
const GRPC_STATUS = { SERVING: GrpcStatus.SERVING, NOT_SERVING: GrpcStatus.NOT_SERVING } as const;

interface Needs {
  readonly health: Health;
}

interface GrpcNeeds extends Needs {
  /** Aborts when the service drains. */
  readonly draining: AbortSignal;
}

function createHandlers({ health }: Needs): ServiceHandlers<typeof HealthService> {
  return {
    async check(request) {
      await health.refresh();
      const state = health.check(request.service) ?? fail("SERVICE_NOT_FOUND", { service: request.service });
      return create(HealthCheckResponseSchema, { status: STATUS[state] });
    },
  };
}

/** An unknown name is NOT_FOUND for Check, and SERVICE_UNKNOWN on an open stream for Watch. */
function createGrpcHandlers({ health, draining }: GrpcNeeds): ServiceHandlers<typeof GrpcHealth> {
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

/** Our own health service. The alias is the path in an earlier public contract. */
export const healthService = defineService(HealthService, createHandlers, {
  check: ["/health.v1.HealthService/Check"],
});

/** The standard health service for load balancers. */
export const grpcHealthService = defineService(GrpcHealth, createGrpcHandlers);
