/** Queues as messages of the contract. */
import { create } from "@bufbuild/protobuf";
import type { QueueView, QueueStop as Stop } from "../../engine/ports/dispatch/queues.ts";
import {
  type Queue,
  type QueueHandler,
  QueueHandlerSchema,
  QueueSchema,
  type QueueStop,
  QueueStopSchema,
} from "../../gen/orchestrator/v1/queue_pb.ts";
import { toDuration, toTimestamp } from "./time.ts";

/** A queue without its workers. */
export function toQueue(view: QueueView): Queue {
  const { queue, tenantId, pause, drain, maxLength, ttlMs, buildIds, oldestAt, priority } = view;
  return create(QueueSchema, {
    ...{ queue, tenantId, buildIds: [...buildIds] },
    ...(pause === null ? {} : { pause: toStop(pause) }),
    ...(drain === null ? {} : { drain: toStop(drain) }),
    ...(maxLength === null ? {} : { maxLength }),
    ...(ttlMs === null ? {} : { ttl: toDuration(ttlMs) }),
    depth: view.waiting,
    deferredCount: view.deferred,
    heldCount: view.held,
    ...(oldestAt === null ? {} : { oldestTime: toTimestamp(oldestAt) }),
    ...(priority === null ? {} : { highestPriority: priority }),
    handlers: view.handlers.map(
      ({ handler, waiting, deferred, held }): QueueHandler =>
        create(QueueHandlerSchema, {
          handler,
          depth: waiting,
          deferredCount: deferred,
          heldCount: held,
        }),
    ),
  });
}

function toStop({ by, why, since }: Stop): QueueStop {
  return create(QueueStopSchema, { actor: by, reason: why, sinceTime: toTimestamp(since) });
}
