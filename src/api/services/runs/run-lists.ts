/** RunService: lists of runs, events, and tasks. */
import { create } from "@bufbuild/protobuf";
import { fail } from "../../../base/errors.ts";
import type { RunIndex, RunPosition } from "../../../engine/ports/run-index.ts";
import type { RunReader } from "../../../engine/ports/run-reader.ts";
import { RunTaskSchema } from "../../../gen/orchestrator/v1/run_pb.ts";
import type { RunService } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import {
  CountRunsResponseSchema,
  GetRunTaskResponseSchema,
  ListRunEventsResponseSchema,
  ListRunsResponseSchema,
  ListRunTasksResponseSchema,
} from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { ServiceHandlers } from "../../calls/call.ts";
import type { FieldTable, ReadField } from "../../lists/condition.ts";
import { meetsCondition } from "../../lists/condition.ts";
import { parseFilter } from "../../lists/filter.ts";
import { cutPage, orderOf, pageSizeOf } from "../../lists/paging.ts";
import { parseRunFilter, toStoreFilter } from "../../lists/run-filter.ts";
import { type Place, type Tokens, toPlace } from "../../lists/tokens.ts";
import { DEAD_LETTER_REASON, RUN_STATE, TASK_STATE } from "../../mapping/enums.ts";
import { toEvent } from "../../mapping/event.ts";
import type { PayloadLimits } from "../../mapping/payload.ts";
import { createPayloadRoom } from "../../mapping/payload.ts";
import { parseReadMask } from "../../mapping/read-mask.ts";
import { headerToSummary } from "../../mapping/run.ts";
import type { TaskView } from "../../mapping/task.ts";
import { deadLetterOf, findTask, listTasks, toRunTask } from "../../mapping/task.ts";
import type { PlanIndexOf } from "./plan-index-of.ts";

/** Methods of RunService that list. */
export type ListingMethods = Pick<
  ServiceHandlers<typeof RunService>,
  "listRuns" | "countRuns" | "listRunEvents" | "listRunTasks" | "getRunTask"
>;

const TASK_PAYLOADS = ["input", "input_json", "input_ref", "output", "output_json", "output_ref"];

const TASK_FIELDS: FieldTable = {
  task_id: { kind: "text" },
  parent_task_id: { kind: "text" },
  task_type: { kind: "text" },
  state: { kind: "state", values: Object.keys(TASK_STATE), prefix: "TASK_STATE_" },
  attempt: { kind: "number" },
  dead_letter: { kind: "boolean" },
  dead_letter_reason: { kind: "state", values: Object.keys(DEAD_LETTER_REASON), prefix: "DEAD_LETTER_REASON_" },
};

export interface ListingNeeds {
  readonly runReader: RunReader;
  readonly runIndex: RunIndex;
  readonly planIndexOf: PlanIndexOf;
  readonly tokens: Tokens;
  readonly limits: PayloadLimits;
}

export function createRunLists({ runReader, runIndex, planIndexOf, tokens, limits }: ListingNeeds): ListingMethods {
  return {
    async listRuns(request, { caller, signal }) {
      const filter = toStoreFilter(parseRunFilter(request.filter));
      const order = orderOf(request.orderBy, "newest");
      const query = ["ListRuns", request.filter, order];
      const size = pageSizeOf(request.pageSize);
      const after = toPosition(tokens.fromPageToken(caller.tenantId, query, request.pageToken));
      const headers = await runIndex.listRuns(caller, filter, after, size + 1, signal, order);
      const { lines, next } = cutPage(headers, size, (header): Place => [toPlace(header.createdAt), header.runId]);
      const nextPageToken = next === null ? "" : tokens.toPageToken(caller.tenantId, query, next);
      return create(ListRunsResponseSchema, { runs: lines.map(headerToSummary), nextPageToken });
    },

    async countRuns(request, { caller, signal }) {
      const counts = await runIndex.countRuns(caller, toStoreFilter(parseRunFilter(request.filter)), signal);
      return create(CountRunsResponseSchema, {
        count: BigInt(counts.reduce((sum, one) => sum + one.count, 0)),
        stateCounts: counts.map((one) => ({ state: RUN_STATE[one.state], count: BigInt(one.count) })),
      });
    },

    async listRunEvents(request, { caller }) {
      const query = ["ListRunEvents", request.runId, String(request.afterSequence)];
      const size = pageSizeOf(request.pageSize);
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const after = place === null ? request.afterSequence : Number(place[0]);
      const { state } = await runReader.getRun(caller, request.runId);
      const { events, more } = await runReader.listEvents(caller, request.runId, after, size);
      const last = events[events.length - 1];
      const index = await planIndexOf(caller, state);
      const cursors = tokens.cursorsOf(caller.tenantId, request.runId);
      const nextPageToken =
        more && last !== undefined ? tokens.toPageToken(caller.tenantId, query, [last.sequence]) : "";
      return create(ListRunEventsResponseSchema, {
        events: events.map((event) => toEvent(event, cursors.toCursor(event.sequence), index)),
        nextPageToken,
      });
    },

    async listRunTasks(request, { caller }) {
      const condition = parseFilter(request.filter, TASK_FIELDS);
      const query = ["ListRunTasks", request.runId, request.filter];
      const size = pageSizeOf(request.pageSize);
      const place = tokens.fromPageToken(caller.tenantId, query, request.pageToken);
      const { state } = await runReader.getRun(caller, request.runId);
      const all = listTasks(state, await planIndexOf(caller, state));
      const begin = place === null ? 0 : indexAfter(all, place);
      const matching = all
        .slice(begin)
        .filter((view) => condition === null || meetsCondition(condition, readTask(view)));
      const { lines, next } = cutPage(matching, size, (view): Place => [view.path, all.indexOf(view)]);
      const mask = parseReadMask(RunTaskSchema, undefined, TASK_PAYLOADS);
      const room = createPayloadRoom(limits);
      const nextPageToken = next === null ? "" : tokens.toPageToken(caller.tenantId, query, next);
      return create(ListRunTasksResponseSchema, {
        tasks: lines.map((view) => toRunTask(state.runId, view, mask, room)),
        nextPageToken,
      });
    },

    async getRunTask(request, { caller }) {
      const mask = parseReadMask(RunTaskSchema, request.readMask);
      const { state } = await runReader.getRun(caller, request.runId);
      const view = findTask(state, await planIndexOf(caller, state), request.taskId);
      if (view === null) fail("RUN_TASK_NOT_FOUND", { runId: request.runId, taskId: request.taskId });
      return create(GetRunTaskResponseSchema, {
        task: toRunTask(state.runId, view, mask, createPayloadRoom(limits)),
      });
    },
  };
}

function toPosition(place: Place | null): RunPosition | null {
  return place === null ? null : { createdAt: Number(place[0]), runId: String(place[1]) };
}

/**
 * Index after the last path of a page. Tasks are added but never removed, so the path is looked up again; its old index
 * is the fallback.
 */
function indexAfter(all: readonly TaskView[], place: Place): number {
  const [path, guess] = place;
  const found = all[Number(guess)]?.path === path ? Number(guess) : all.findIndex((view) => view.path === path);
  return (found < 0 ? Number(guess) : found) + 1;
}

function readTask(view: TaskView): ReadField {
  return ({ name }) => {
    switch (name) {
      case "task_id":
        return view.path;
      case "parent_task_id":
        return view.path.includes(".") ? view.path.slice(0, view.path.lastIndexOf(".")) : "";
      case "task_type":
        return view.spec?.type ?? "";
      case "state":
        return view.task?.state ?? "PENDING";
      case "attempt":
        return view.task?.attempt ?? 0;
      case "dead_letter_reason":
        return deadLetterOf(view.task) ?? undefined;
      default:
        return deadLetterOf(view.task) !== null;
    }
  };
}
