/** Workers as messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type { WorkerStop as Stop, WorkerView } from "../../engine/ports/dispatch/workers.ts";
import { type Worker, WorkerSchema, type WorkerStop, WorkerStopSchema } from "../../gen/orchestrator/v1/worker_pb.ts";
import { toTimestamp } from "./time.ts";

/** Most tasks that are shown of a worker. */
const MAX_HOLDINGS = 100;

export function toWorker(view: WorkerView): Worker {
  const { workerId, name, sdk, labels, buildId, queues, handlers, slots, free, holdings, drain } = view;
  return create(WorkerSchema, {
    ...{ workerId, name, sdk, labels, buildId, queues: [...queues], handlers: [...handlers] },
    slotCount: slots,
    freeSlotCount: free,
    heldCount: holdings.length,
    holdings: holdings.slice(0, MAX_HOLDINGS).map(({ runId, path, since, acknowledged }) => ({
      ...{ runId, taskId: path, acknowledged },
      sinceTime: toTimestamp(since),
    })),
    registerTime: toTimestamp(view.registeredAt),
    lastSeenTime: toTimestamp(view.lastSeenAt),
    ...(drain === null ? {} : { drain: toWorkerStop(drain) }),
  });
}

export function toWorkerStop({ by, why, since }: Stop): WorkerStop {
  return create(WorkerStopSchema, { actor: by, reason: why, sinceTime: toTimestamp(since) });
}
