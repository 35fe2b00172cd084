/**
 * QueueService: what waits, who serves it, and what operators say about it. What waits comes from the store; each
 * instance knows its own workers, and is asked for them by the same method.
 */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { QueueChange, Queues, QueueView } from "../../engine/ports/dispatch/queues.ts";
import type { Workers } from "../../engine/ports/dispatch/workers.ts";
import { type Queue, QueueHandlerSchema, QueueSchema } from "../../gen/orchestrator/v1/queue_pb.ts";
import {
  DrainQueueResponseSchema,
  GetQueueResponseSchema,
  ListQueuesResponseSchema,
  PauseQueueResponseSchema,
  QueueService,
  ResumeQueueResponseSchema,
  type UpdateQueueRequest,
  UpdateQueueResponseSchema,
} from "../../gen/orchestrator/v1/queue_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { cutPage, pageSizeOf } from "../lists/paging.ts";
import type { Tokens } from "../lists/tokens.ts";
import { toQueue } from "../mapping/queue.ts";
import { fromDuration } from "../mapping/time.ts";
import type { AskPeers } from "../peers/ask-peers.ts";

/** Most handlers that are shown of a queue. */
const MAX_HANDLERS = 50;

interface Needs {
  readonly queues: Queues;
  readonly workers: Pick<Workers, "list">;
  readonly tokens: Tokens;
  readonly askPeers: AskPeers;
}

function createHandlers({ queues, workers, tokens, askPeers }: Needs): ServiceHandlers<typeof QueueService> {
  const get = async (view: QueueView | undefined, queue: string, call: CallContext): Promise<Queue | null> => {
    const own = servedBy(workers, call.caller, queue);
    // Another instance asks for nothing but our workers.
    if (call.forwarded) return own.get(queue) ?? null;
    const { answers, silent } = await askPeers(QueueService.method.getQueue, { queue }, call);
    const served = [own.get(queue), ...answers.map((answer) => answer.queue)].flatMap((one) => one ?? []);
    if (view === undefined || (served.length === 0 && !isKnown(view))) return null;
    return join(toQueue(view), served, silent);
  };
  const change = async (queue: string, call: CallContext, wanted: QueueChange): Promise<Queue> => {
    const view = await queues.changeQueue(call.caller, queue, wanted);
    return (await get(view, queue, call)) ?? toQueue(view);
  };
  return {
    async listQueues(request, call) {
      const { caller } = call;
      const query = ["ListQueues"];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const after = place === null ? "" : String(place[0]);
      const size = pageSizeOf(request.pageSize);
      const own = [...servedBy(workers, caller).values()].filter(({ queue }) => queue > after).toSorted(byName);
      if (call.forwarded) return create(ListQueuesResponseSchema, { queues: own.slice(0, size + 1) });
      const { answers, silent } = await askPeers(QueueService.method.listQueues, request, call);
      const served = Map.groupBy([...own, ...answers.flatMap((answer) => answer.queues)], ({ queue }) => queue);
      const stored = await queues.listNames(caller, after, size + 1);
      const names = [...new Set([...stored, ...served.keys()])].sort().slice(0, size + 1);
      const { lines, next } = cutPage(names, size, (name) => name);
      const views = await queues.viewQueues(caller, lines);
      return create(ListQueuesResponseSchema, {
        queues: views.flatMap((view) => {
          const theirs = served.get(view.queue) ?? [];
          // Its last task was taken meanwhile.
          return theirs.length === 0 && !isKnown(view) ? [] : [join(toQueue(view), theirs, silent)];
        }),
        nextPageToken: next === null ? "" : tokens.toPageToken(caller.tenantId, query, [next]),
      });
    },

    async getQueue({ queue }, call) {
      const [view] = call.forwarded ? [] : await queues.viewQueues(call.caller, [queue]);
      return create(GetQueueResponseSchema, {
        queue: (await get(view, queue, call)) ?? fail("QUEUE_NOT_FOUND", { queue }),
      });
    },

    async pauseQueue({ queue, reason }, call) {
      return create(PauseQueueResponseSchema, { queue: await change(queue, call, { type: "pause", why: reason }) });
    },

    async drainQueue({ queue, reason }, call) {
      return create(DrainQueueResponseSchema, { queue: await change(queue, call, { type: "drain", why: reason }) });
    },

    async resumeQueue({ queue }, call) {
      return create(ResumeQueueResponseSchema, { queue: await change(queue, call, { type: "resume" }) });
    },

    async updateQueue(request, call) {
      return create(UpdateQueueResponseSchema, { queue: await change(request.queue, call, toUpdate(request)) });
    },
  };
}

/** 0 and an empty list remove a limit. */
function toUpdate({ maxLength, ttl, buildPin }: UpdateQueueRequest): QueueChange {
  return {
    type: "update",
    ...(maxLength === undefined ? {} : { maxLength: maxLength || null }),
    ...(ttl === undefined ? {} : { ttlMs: fromDuration(ttl) || null }),
    ...(buildPin === undefined ? {} : { buildIds: [...new Set(buildPin.buildIds)].sort() }),
  };
}

/** Queues that the workers of this instance serve, or one of them, with nothing but the workers. */
function servedBy(workers: Pick<Workers, "list">, caller: Caller, only?: string): ReadonlyMap<string, Queue> {
  const served = new Map<string, Queue>();
  for (const worker of workers.list(caller)) {
    for (const queue of only === undefined ? worker.queues : worker.queues.filter((name) => name === only)) {
      const one = served.get(queue) ?? create(QueueSchema, { queue });
      served.set(queue, one);
      one.workerCount += 1;
      one.slotCount += worker.slots;
      one.freeSlotCount += worker.free;
      for (const handler of worker.handlers) addWorkers(one, handler, 1);
    }
  }
  return served;
}

/** Adds the workers that instances have said to have. */
function join(queue: Queue, served: readonly Queue[], silent: number): Queue {
  for (const { workerCount, slotCount, freeSlotCount, handlers } of served) {
    queue.workerCount += workerCount;
    queue.slotCount += slotCount;
    queue.freeSlotCount += freeSlotCount;
    for (const { handler, workerCount: count } of handlers) addWorkers(queue, handler, count);
  }
  queue.handlers = queue.handlers.slice(0, MAX_HANDLERS);
  queue.silentInstanceCount = silent;
  return queue;
}

function addWorkers({ handlers }: Queue, handler: string, count: number): void {
  const known = handlers.find((one) => one.handler === handler);
  if (known === undefined) handlers.push(create(QueueHandlerSchema, { handler, workerCount: count }));
  else known.workerCount += count;
}

function isKnown({ waiting, deferred, held, pause, drain, maxLength, ttlMs, buildIds }: QueueView): boolean {
  return (
    waiting + deferred + held > 0 ||
    [pause, drain, maxLength, ttlMs].some((setting) => setting !== null) ||
    buildIds.length > 0
  );
}

function byName(a: Queue, b: Queue): number {
  return a.queue < b.queue ? -1 : 1;
}

/** QueueService with its handlers. */
export const queueService = defineService(QueueService, createHandlers);
