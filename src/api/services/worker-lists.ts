/** Workers of all instances, as operators see them. Each instance is asked for its own by the same method. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../base/errors.ts";
import type { Workers } from "../../engine/ports/dispatch/workers.ts";
import type { Worker } from "../../gen/orchestrator/v1/worker_pb.ts";
import {
  DrainWorkerResponseSchema,
  ListWorkersResponseSchema,
  WorkerService,
} from "../../gen/orchestrator/v1/worker_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { cutPage, pageSizeOf } from "../lists/paging.ts";
import type { Place, Tokens } from "../lists/tokens.ts";
import { toWorker } from "../mapping/worker.ts";
import type { AskPeers } from "../peers/ask-peers.ts";

export interface WorkerListNeeds {
  readonly workers: Pick<Workers, "list" | "drain">;
  readonly tokens: Tokens;
  readonly askPeers: AskPeers;
}

/** The methods about workers that workers do not call. */
export function createWorkerLists({
  workers,
  tokens,
  askPeers,
}: WorkerListNeeds): Pick<ServiceHandlers<typeof WorkerService>, "listWorkers" | "drainWorker"> {
  return {
    async listWorkers(request, call) {
      const { caller } = call;
      const query = ["ListWorkers"];
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const size = pageSizeOf(request.pageSize);
      const own = workers.list(caller).filter((view) => place === null || isAfter(view, place));
      const { answers, silent } = await askPeers(WorkerService.method.listWorkers, request, call);
      const first = own.toSorted(byName).slice(0, size + 1);
      const all = [...first.map(toWorker), ...answers.flatMap(({ workers: theirs }) => theirs)].toSorted(byName);
      const { lines, next } = cutPage(all.slice(0, size + 1), size, placeOf);
      // The page of another instance may end before this one does.
      const goesOn = next !== null || answers.some(({ nextPageToken }) => nextPageToken !== "");
      const last = lines[lines.length - 1];
      return create(ListWorkersResponseSchema, {
        workers: [...lines],
        nextPageToken: goesOn && last !== undefined ? tokens.toPageToken(caller.tenantId, query, placeOf(last)) : "",
        silentInstanceCount: silent,
      });
    },

    async drainWorker({ workerId, reason }, call) {
      const own = workers.drain(call.caller, workerId, reason);
      if (own !== null) return create(DrainWorkerResponseSchema, { worker: toWorker(own) });
      const { answers } = await askPeers(WorkerService.method.drainWorker, { workerId, reason }, call);
      return answers[0] ?? fail("WORKER_NOT_FOUND", { workerId });
    },
  };
}

type Named = Pick<Worker, "name" | "workerId">;

function placeOf({ name, workerId }: Named): Place {
  return [name, workerId];
}

/** By name; the id makes the order total. */
function byName(a: Named, b: Named): number {
  return isAfter(a, placeOf(b)) ? 1 : -1;
}

function isAfter({ name, workerId }: Named, [lastName = "", lastId = ""]: Place): boolean {
  return name === lastName ? workerId > String(lastId) : name > String(lastName);
}
