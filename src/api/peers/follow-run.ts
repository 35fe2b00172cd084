/**
 * Watches of single runs, wherever the runs are. Only the owner of a run learns of its records and notes as they
 * come, so it serves the watch:
 *
 *   here    this instance owns the run, or the owner is unknown or out of reach. In the second case the journal is read
 *           every second, and there are no notes.
 *   there   another instance owns the run: its frames are passed on as they are
 *
 * A watch moves with its run, from the last cursor on, so that no durable event is lost or sent twice. Notes of that
 * moment may be missing, so a watch with notes has a gap there.
 */
import { create } from "@bufbuild/protobuf";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { Cluster, Place } from "../../engine/ports/cluster.ts";
import {
  RunService,
  type WatchRunRequest,
  WatchRunRequestSchema,
  type WatchRunResponse,
  WatchRunResponseSchema,
} from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext } from "../calls/call.ts";
import { anywhere, type Sender, Unreached } from "./forward-send.ts";

/** How often a watch looks whether its run has moved, milliseconds. */
const LOOK_EVERY_MS = 500;

/** How long an owner is left alone that could not be reached, milliseconds. */
const RETRY_AFTER_MS = 2_000;

const WATCH_RUN = anywhere(RunService.method.watchRun);

export interface FollowRunParts {
  readonly cluster: Pick<Cluster, "ownerOf">;
  readonly sender: Pick<Sender, "stream">;
  readonly draining: AbortSignal;
}

/** Watches a run at this instance, after a cursor (empty: from a snapshot on), until the signal aborts. */
export type WatchHere = (cursor: string, signal: AbortSignal) => AsyncIterable<WatchRunResponse>;

/** Frames of a run from its owner, until the end of the run. Errors: those of WatchRun. */
export async function* followRun(
  parts: FollowRunParts,
  request: WatchRunRequest,
  call: CallContext,
  watchHere: WatchHere,
): AsyncGenerator<WatchRunResponse> {
  const { cluster, draining } = parts;
  const { runId, includeEphemeral } = request;
  let { cursor } = request;
  let isBegun = false;
  let unreached = "";
  // Whether the reader would miss notes if the run moved: two gaps in a row say what one says.
  let canMiss = false;
  for (;;) {
    // A watch that has no cursor yet begins with a snapshot.
    if (canMiss && includeEphemeral && cursor !== "") {
      yield movedFrame();
      isBegun = true;
    }
    canMiss = !isBegun;
    const owner = addressOf(cluster.ownerOf(runId));
    const address = owner === unreached ? "" : owner;
    const retryAt = performance.now() + RETRY_AFTER_MS;
    const moved = new AbortController();
    const looks = setInterval(() => {
      const isMoved = addressOf(cluster.ownerOf(runId)) !== owner;
      if (isMoved || (address !== owner && performance.now() >= retryAt)) moved.abort();
    }, LOOK_EVERY_MS);
    const signal = AbortSignal.any([call.signal, moved.signal]);
    try {
      const frames =
        address === "" ? watchHere(cursor, signal) : watchThere(parts, address, request, cursor, call, signal);
      for await (const response of frames) {
        yield response;
        isBegun = true;
        cursor = cursorOf(response) || cursor;
        canMiss ||= response.frame.case !== "heartbeat";
      }
      if (!moved.signal.aborted) return;
      unreached = "";
    } catch (error) {
      if (draining.aborted && address !== "") throw toError("SHUTTING_DOWN", { cursor });
      if (call.signal.aborted || !(moved.signal.aborted || (address !== "" && isGone(error)))) throw error;
      // The reader has a part of a snapshot, which cannot be continued.
      if (isBegun && cursor === "") throw error;
      unreached = moved.signal.aborted ? "" : address;
    } finally {
      clearInterval(looks);
    }
  }
}

function watchThere(
  { sender, draining }: FollowRunParts,
  address: string,
  request: WatchRunRequest,
  cursor: string,
  call: CallContext,
  signal: AbortSignal,
): AsyncIterable<WatchRunResponse> {
  const resumed = create(WatchRunRequestSchema, { ...request, cursor });
  return sender.stream(address, WATCH_RUN, resumed, call, AbortSignal.any([signal, draining]), () => {});
}

/** Nobody knows how many notes are missing, if any. */
function movedFrame(): WatchRunResponse {
  return create(WatchRunResponseSchema, { frame: { case: "gap", value: { lostCount: 0 } } });
}

/** Empty: here, or nobody knows. */
function addressOf(place: Place | null): string {
  return place === null || place === "here" ? "" : place.address;
}

function cursorOf({ frame }: WatchRunResponse): string {
  return frame.case === undefined || frame.case === "gap" ? "" : frame.value.cursor;
}

/** Whether the instance was not reached, was lost, or stops. */
function isGone(error: unknown): boolean {
  if (error instanceof Unreached) return true;
  return isOrchestratorError(error) && (error.code === "PEER_LOST" || error.code === "SHUTTING_DOWN");
}
