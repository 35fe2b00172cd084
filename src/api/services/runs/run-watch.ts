/**
 * RunService: streams. A watch of a run begins with a snapshot or right after a cursor. It sends every durable event
 * once and in order, a heartbeat when nothing happens, and the end of the run as its last frame. It can be resumed at
 * any event.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { fail, isOrchestratorError, toError } from "../../../base/errors.ts";
import type { RunState } from "../../../engine/machine/state.ts";
import { isTerminalPhase } from "../../../engine/machine/state.ts";
import type { Caller } from "../../../engine/ports/caller.ts";
import type { Cluster } from "../../../engine/ports/cluster.ts";
import type { RunHeader, RunIndex } from "../../../engine/ports/run-index.ts";
import type { RunReader } from "../../../engine/ports/run-reader.ts";
import type { NoteView, RunChange, RunWatch, WatchFrame } from "../../../engine/ports/run-watch.ts";
import { RunSchema, RunTaskSchema } from "../../../gen/orchestrator/v1/run_pb.ts";
import type {
  RunService,
  WatchRunResponse,
  WatchRunsRequest,
  WatchRunsResponse,
} from "../../../gen/orchestrator/v1/run_service_pb.ts";
import { WatchRunResponseSchema, WatchRunsResponseSchema } from "../../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, ServiceHandlers } from "../../calls/call.ts";
import type { Condition } from "../../lists/condition.ts";
import { pageSizeOf } from "../../lists/paging.ts";
import { parseRunFilter, toStoreFilter } from "../../lists/run-filter.ts";
import type { RunCursors, Tokens } from "../../lists/tokens.ts";
import { toEvent, toNoteEvent } from "../../mapping/event.ts";
import type { PayloadLimits } from "../../mapping/payload.ts";
import { createPayloadRoom } from "../../mapping/payload.ts";
import type { PlanIndex } from "../../mapping/plan-index.ts";
import type { ReadMask } from "../../mapping/read-mask.ts";
import { parseReadMask } from "../../mapping/read-mask.ts";
import { headerToSummary, toRun } from "../../mapping/run.ts";
import { listTasks, toRunTask } from "../../mapping/task.ts";
import { toTimestamp } from "../../mapping/time.ts";
import { followRun } from "../../peers/follow-run.ts";
import type { Sender } from "../../peers/forward-send.ts";
import type { PeerRuns } from "../../peers/peer-runs.ts";
import { withHeartbeats } from "../../streams/heartbeat.ts";
import type { PlanIndexOf } from "./plan-index-of.ts";
import { createShownRuns, type ShownRuns } from "./shown-runs.ts";

/** Methods of RunService that stream. */
export type WatchingMethods = Pick<ServiceHandlers<typeof RunService>, "watchRun" | "watchRuns">;

export interface WatchNeeds {
  readonly runReader: RunReader;
  readonly runWatch: RunWatch;
  readonly runIndex: RunIndex;
  readonly planIndexOf: PlanIndexOf;
  readonly tokens: Tokens;
  readonly limits: PayloadLimits;
  readonly cluster: Pick<Cluster, "ownerOf">;
  readonly peers: { readonly sender: Pick<Sender, "stream"> };
  /** Changes on other instances; absent if there are none. */
  readonly peerRuns?: PeerRuns;
  /** Aborts when the service drains. */
  readonly draining: AbortSignal;
  readonly heartbeatMs: number;
}

/** Tasks per frame of a snapshot. */
const SNAPSHOT_TASKS = 500;

/** Pause between two messages to another instance, milliseconds. */
const PEER_PAUSE_MS = 20;

const TASK_PAYLOADS = ["input", "input_json", "input_ref", "output", "output_json", "output_ref"];

export function createRunWatch(parts: WatchNeeds): WatchingMethods {
  const { runReader, runWatch, planIndexOf, tokens, limits, cluster, peers, draining } = parts;
  const following = { cluster, sender: peers.sender, draining };
  return {
    async *watchRun(request, call) {
      const mask = parseReadMask(RunSchema, request.readMask);
      const cursors = tokens.cursorsOf(call.caller.tenantId, request.runId);
      const resume = request.cursor === "" ? null : cursors.fromCursor(request.cursor);
      const { state } = await runReader.getRun(call.caller, request.runId);
      const index = await planIndexOf(call.caller, state);
      if (resume !== null) {
        if (resume.sequence > state.sequence) fail("WATCH_CURSOR_INVALID");
        if (!resume.ended && resume.sequence === state.sequence && isTerminalPhase(state.phase)) {
          // The reader was disconnected between the last event and the end.
          yield endFrame(state, index, mask, cursors, limits);
          return;
        }
        // The first event may take a long time.
        if (!draining.aborted) call.opened();
      }
      const { runId, includeEphemeral: notes } = request;
      const watchHere = (cursor: string, signal: AbortSignal) => {
        const after = cursor === "" ? null : cursors.fromCursor(cursor).sequence;
        return watchFrom(parts, call.caller, signal, { runId, after, mask, cursors, index, notes });
      };
      yield* call.forwarded ? watchHere(request.cursor, call.signal) : followRun(following, request, call, watchHere);
    },

    async *watchRuns(request, call) {
      const watch = beginRunsWatch(parts, request, call);
      const stream = {
        open: (signal: AbortSignal) =>
          call.forwarded ? ownChanges(runWatch, call.caller, signal) : changesSince(parts, call, watch, signal),
        signal: call.signal,
        draining: parts.draining,
        drained: () => toError("SHUTTING_DOWN", call.forwarded ? {} : { cursor: watch.cursor() }),
        toMessage: (value: RunsNews) => {
          call.opened();
          return call.forwarded ? toPeerFrames(value) : toRunsFrames(value, watch);
        },
        heartbeat: () => {
          watch.rested(parts.heartbeatMs);
          const value = { serverTime: toTimestamp(Date.now()), cursor: call.forwarded ? "" : watch.cursor() };
          return [create(WatchRunsResponseSchema, { frame: { case: "heartbeat", value } })];
        },
      };
      for await (const frames of withHeartbeats(stream, parts.heartbeatMs)) yield* frames;
    },
  };
}

interface Watch {
  readonly runId: string;
  readonly after: number | null;
  readonly mask: ReadMask;
  readonly cursors: RunCursors;
  readonly index: PlanIndex | null;
  /** Whether notes of attempts are sent too. */
  readonly notes: boolean;
}

async function* watchFrom(
  parts: WatchNeeds,
  caller: Caller,
  ends: AbortSignal,
  watch: Watch,
): AsyncGenerator<WatchRunResponse> {
  const { cursors, index, mask } = watch;
  let reached = watch.after ?? 0;
  const cursor = (): string => (reached === 0 ? "" : cursors.toCursor(reached));
  const stream = {
    open: (signal: AbortSignal) => parts.runWatch.watchRun(caller, watch.runId, watch.after, signal, watch.notes),
    signal: ends,
    draining: parts.draining,
    drained: () => toError("SHUTTING_DOWN", { cursor: cursor() }),
    toMessage: (frame: WatchFrame): WatchRunResponse[] => {
      if (frame.type === "gap") return [runGapFrame(frame.lostCount)];
      if (frame.type === "note") return [noteFrame(watch.runId, frame.view, cursor())];
      reached = frame.type === "event" ? frame.event.sequence : frame.state.sequence;
      return toRunFrames(frame, index, mask, cursors, parts.limits);
    },
    heartbeat: () => [
      create(WatchRunResponseSchema, {
        frame: { case: "heartbeat", value: { serverTime: toTimestamp(Date.now()), cursor: cursor() } },
      }),
    ],
  };
  try {
    for await (const frames of withHeartbeats(stream, parts.heartbeatMs)) yield* frames;
  } catch (error) {
    // The engine reports the reader's position; the caller gets it as the cursor to resume from.
    if (isOrchestratorError(error) && error.code === "WATCH_TOO_SLOW")
      throw toError("WATCH_TOO_SLOW", { cursor: cursor() }, { cause: error });
    throw error;
  }
}

function runGapFrame(lostCount: number): WatchRunResponse {
  return create(WatchRunResponseSchema, { frame: { case: "gap", value: { lostCount } } });
}

function noteFrame(runId: string, view: NoteView, cursor: string): WatchRunResponse {
  return create(WatchRunResponseSchema, { frame: { case: "event", value: toNoteEvent(runId, view, cursor) } });
}

function toRunFrames(
  frame: Exclude<WatchFrame, { readonly type: "note" | "gap" }>,
  index: PlanIndex | null,
  mask: ReadMask,
  cursors: RunCursors,
  limits: PayloadLimits,
): WatchRunResponse[] {
  switch (frame.type) {
    case "event": {
      const event = toEvent(frame.event, cursors.toCursor(frame.event.sequence), index);
      return [create(WatchRunResponseSchema, { frame: { case: "event", value: event } })];
    }
    case "snapshot":
      return snapshotFrames(frame.state, index, mask, cursors, limits);
    case "end":
      return [endFrame(frame.state, index, mask, cursors, limits)];
  }
}

function snapshotFrames(
  state: RunState,
  index: PlanIndex | null,
  mask: ReadMask,
  cursors: RunCursors,
  limits: PayloadLimits,
): WatchRunResponse[] {
  const taskMask = parseReadMask(RunTaskSchema, undefined, TASK_PAYLOADS);
  const room = createPayloadRoom(limits);
  const tasks = listTasks(state, index).map((view) => toRunTask(state.runId, view, taskMask, room));
  const frames: WatchRunResponse[] = [];
  const cursor = cursors.toCursor(state.sequence);
  for (let at = 0; at === 0 || at < tasks.length; at += SNAPSHOT_TASKS) {
    const continued = at + SNAPSHOT_TASKS < tasks.length;
    const run = at === 0 ? { run: toRun(state, index, mask, room) } : {};
    // Only the last part has the cursor: a reader that loses the stream earlier starts over.
    const value = { ...run, tasks: tasks.slice(at, at + SNAPSHOT_TASKS), continued, cursor: continued ? "" : cursor };
    frames.push(create(WatchRunResponseSchema, { frame: { case: "snapshot", value } }));
  }
  return frames;
}

function endFrame(
  state: RunState,
  index: PlanIndex | null,
  mask: ReadMask,
  cursors: RunCursors,
  limits: PayloadLimits,
): WatchRunResponse {
  const value = {
    run: toRun(state, index, mask, createPayloadRoom(limits)),
    cursor: cursors.toCursor(state.sequence, true),
  };
  return create(WatchRunResponseSchema, { frame: { case: "end", value } });
}

/** A watch over many runs: its filter and position. */
interface RunsWatch {
  readonly condition: Condition;
  readonly size: number;
  /** Resume after this time; null: begin with a snapshot. */
  readonly resumeAt: number | null;
  readonly shown: ShownRuns;
  /** Cursor to resume from: everything decided before it has been sent. */
  cursor(): string;
  /** Records that a run decided at this time has been sent. */
  reached(at: number): void;
  /** Records that nothing was sent for this long, so everything decided before has been. */
  rested(ms: number): void;
}

/** Errors: FILTER_INVALID, WATCH_CURSOR_INVALID. */
function beginRunsWatch({ tokens }: WatchNeeds, request: WatchRunsRequest, { caller }: CallContext): RunsWatch {
  const cursors = tokens.runsCursorsOf(caller.tenantId, request.filter);
  const condition = parseRunFilter(request.filter);
  const resumeAt = request.cursor === "" ? null : cursors.fromCursor(request.cursor);
  let reachedAt = resumeAt ?? Date.now();
  let sent = false;
  return {
    condition,
    size: pageSizeOf(request.snapshotSize),
    resumeAt,
    shown: createShownRuns(condition),
    cursor: () => cursors.toCursor(reachedAt),
    reached(at) {
      sent = true;
      reachedAt = Math.max(reachedAt, at);
    },
    rested(ms) {
      if (!sent) reachedAt = Math.max(reachedAt, Date.now() - ms);
      sent = false;
    },
  };
}

/** Input of a watch over runs: the initial runs, then changes. */
type RunsNews =
  | { readonly type: "snapshot"; readonly headers: readonly RunHeader[] }
  | { readonly type: "resumed"; readonly headers: readonly RunHeader[] }
  | RunChange;

/** Most runs that a resumed watch reads; if more have changed, the cursor has expired. */
const MAX_RESUMED = 10_000;

/**
 * Longest time from the decision of a change until every instance shows it, milliseconds. A resumed watch begins that
 * much earlier.
 */
const RESUME_MARGIN_MS = 60_000;

/** Subscribes first, on all instances, then reads the list, so no change is missed in between. */
function changesSince(
  { runWatch, runIndex, peerRuns }: WatchNeeds,
  { caller }: CallContext,
  { condition, size, resumeAt }: RunsWatch,
  signal: AbortSignal,
): AsyncGenerator<RunsNews> {
  return changesAfter(runWatch.watchRuns(caller, signal, "all"), 0, async () => {
    await peerRuns?.follow(caller, signal);
    if (resumeAt !== null) {
      const ageMs = Math.max(0, Date.now() - resumeAt) + RESUME_MARGIN_MS;
      const headers = await runIndex.listChanged(caller, ageMs, MAX_RESUMED + 1, signal);
      if (headers.length > MAX_RESUMED) fail("WATCH_CURSOR_EXPIRED");
      return { type: "resumed", headers };
    }
    const filter = toStoreFilter(condition);
    return { type: "snapshot", headers: await runIndex.listRuns(caller, filter, null, size + 1, signal) };
  });
}

/**
 * For another instance: confirms the subscription, then sends changes of all runs that live here. Changes are combined
 * into fewer messages, with only the latest of each run.
 */
function ownChanges(runWatch: RunWatch, caller: Caller, signal: AbortSignal): AsyncGenerator<RunsNews> {
  const changes = runWatch.watchRuns(caller, signal, "own");
  return changesAfter(changes, PEER_PAUSE_MS, async () => ({ type: "changed", headers: [] }));
}

/** The result of `begin`, then all changes since before it was called, with a pause after each. */
async function* changesAfter(
  changes: AsyncIterable<RunChange>,
  pauseMs: number,
  begin: () => Promise<RunsNews>,
): AsyncGenerator<RunsNews> {
  const iterator = changes[Symbol.asyncIterator]();
  let next = iterator.next();
  // Avoids a second report: the loop below awaits the same promise.
  next.catch(() => undefined);
  yield await begin();
  for (;;) {
    const change = await next;
    if (change.done === true) return;
    yield change.value;
    if (pauseMs > 0) await sleep(pauseMs);
    next = iterator.next();
  }
}

/** For another instance: the first frame confirms the subscription. Deleted runs are updates that meet no filter. */
function toPeerFrames(news: RunsNews): WatchRunsResponse[] {
  if (news.type === "gap") return [gapFrame(news.lostCount)];
  const runs = news.headers.filter((header) => header.deleted !== true).map(headerToSummary);
  const gone = news.headers.filter((header) => header.deleted === true).map(headerToSummary);
  return [
    create(WatchRunsResponseSchema, { frame: { case: "snapshot", value: { runs } } }),
    ...gone.map((run) =>
      create(WatchRunsResponseSchema, { frame: { case: "update", value: { run, matches: false } } }),
    ),
  ];
}

function toRunsFrames(news: RunsNews, watch: RunsWatch): WatchRunsResponse[] | null {
  switch (news.type) {
    case "gap":
      return [gapFrame(news.lostCount)];
    case "snapshot": {
      const headers = news.headers.slice(0, watch.size);
      for (const header of headers) watch.shown.note(header, true);
      const partial = news.headers.length > headers.length;
      const value = { runs: headers.map(headerToSummary), partial, cursor: watch.cursor() };
      return [create(WatchRunsResponseSchema, { frame: { case: "snapshot", value } })];
    }
    case "resumed":
      // The reader may know any of these runs from before, so it is notified of those that do not meet the filter too.
      return news.headers.map((header) => updateFrame(header, watch.shown.tell(header), watch));
    case "changed": {
      const frames = news.headers.flatMap((header) => {
        const matches = watch.shown.judge(header);
        watch.reached(header.updatedAt);
        return matches === null ? [] : [updateFrame(header, matches, watch)];
      });
      return frames.length === 0 ? null : frames;
    }
  }
}

function updateFrame(header: RunHeader, matches: boolean, watch: RunsWatch): WatchRunsResponse {
  watch.reached(header.updatedAt);
  const value = { run: headerToSummary(header), matches, cursor: watch.cursor() };
  return create(WatchRunsResponseSchema, { frame: { case: "update", value } });
}

function gapFrame(lostCount: number): WatchRunsResponse {
  return create(WatchRunsResponseSchema, { frame: { case: "gap", value: { lostCount } } });
}
