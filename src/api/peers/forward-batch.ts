/**
 * BatchStartRuns with several instances: each start goes where it can be made. Starts that this instance refuses go to
 * the instances that can take them, one batch for each instance. Then all runs are awaited with calls that a drain ends
 * early.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { create, type Message } from "@bufbuild/protobuf";
import { durationFromMs, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { Cluster, Place } from "../../engine/ports/cluster.ts";
import { type Run, RunSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import {
  type BatchStartRunsRequest,
  BatchStartRunsRequestSchema,
  type BatchStartRunsResponse,
  BatchStartRunsResponseSchema,
  type BatchStartRunsResult,
  BatchStartRunsResultSchema,
  type StartRunRequest,
  type WaitRunRequest,
  WaitRunRequestSchema,
  type WaitRunResponse,
} from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, UnaryHandler } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import type { Routing } from "../calls/routing.ts";
import { fromStatus } from "../errors/from-status.ts";
import { toStatus } from "../errors/status.ts";
import { RUN_PAYLOADS } from "../mapping/run.ts";
import { fromDuration } from "../mapping/time.ts";
import { isElsewhere, runIdOf } from "./forward-refusal.ts";
import { type Sender, Unreached, WAY_BACK_MS } from "./forward-send.ts";

/** How long to look for an instance that accepts a start, and the pause between attempts, milliseconds. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 50;

/** Waits for the end of a run on any instance. */
export type WaitAnywhere = (request: WaitRunRequest, call: CallContext) => Promise<WaitRunResponse>;

export interface BatchParts {
  readonly cluster: Cluster;
  readonly sender: Sender;
  readonly method: ServedMethod;
  readonly routing: Extract<Routing, { readonly to: "batch" }>;
  readonly handler: UnaryHandler;
  readonly draining: AbortSignal;
  readonly waitAnywhere: WaitAnywhere;
}

/** Starts the batch on this instance and others. */
export async function startBatch(
  parts: BatchParts,
  request: BatchStartRunsRequest,
  call: CallContext,
): Promise<BatchStartRunsResponse> {
  const startedAt = performance.now();
  const waitMs = request.wait === undefined ? 0 : fromDuration(request.wait);
  const paths =
    request.readMask?.paths ?? RunSchema.fields.map(({ name }) => name).filter((name) => !RUN_PAYLOADS.includes(name));
  // Only the id is needed for the wait.
  const mask = create(FieldMaskSchema, {
    paths: waitMs > 0 && !paths.includes("run_id") ? [...paths, "run_id"] : paths,
  });
  const { items, results: answers } = parts.routing;
  const resultsOf = (message: Message) => fieldOf(message, answers) as readonly BatchStartRunsResult[];
  const starts = (fieldOf(request, items) as readonly StartRunRequest[]).map((start, index) =>
    start.requestId === "" && request.requestId !== ""
      ? { ...start, requestId: `${request.requestId}/${index}` }
      : start,
  );
  const batchOf = (indexes: readonly number[], requestId = ""): BatchStartRunsRequest =>
    create(BatchStartRunsRequestSchema, {
      requestId,
      [items]: indexes.flatMap((index) => starts[index] ?? []),
      readMask: mask,
    });
  const all = starts.map((_, index) => index);
  // The request id of the batch is used only if all of its runs are here.
  const results = [...resultsOf(await parts.handler(batchOf(all, request.requestId), call))];
  const place = async (where: Place, indexes: readonly number[]): Promise<string | undefined> => {
    try {
      const batch = batchOf(indexes);
      const answer =
        where === "here"
          ? await parts.handler(batch, call)
          : await parts.sender.send(where.address, parts.method, batch, call, call.signal);
      for (const [at, result] of resultsOf(answer).entries()) results[indexes[at] ?? -1] = result;
    } catch (error) {
      if (error instanceof Unreached) return error.address;
      const failure = isOrchestratorError(error) ? error : toError("PEER_LOST", {}, { cause: error });
      for (const index of indexes)
        results[index] = create(BatchStartRunsResultSchema, { result: { case: "error", value: toStatus(failure) } });
    }
    return undefined;
  };
  const giveUpAt = performance.now() + Math.min(PATIENCE_MS, call.remainingMs() - WAY_BACK_MS);
  let unreachable: string | undefined;
  for (;;) {
    const groups = await groupByPlace(parts.cluster, results, unreachable);
    const failed = await Promise.all(
      [...groups.values()].map(({ where, indexes }) => (where === null ? undefined : place(where, indexes))),
    );
    unreachable = failed.find((address) => address !== undefined);
    if (!results.some((result) => refusalOf(result) !== null)) break;
    if (performance.now() + PAUSE_MS >= giveUpAt) break;
    await sleep(PAUSE_MS, undefined, { signal: call.signal });
  }
  const restMs = Math.floor(waitMs - (performance.now() - startedAt));
  if (restMs > 0) await Promise.all(results.map((result) => waitFor(parts, result, paths, restMs, call)));
  return create(BatchStartRunsResponseSchema, { [answers]: results });
}

function fieldOf(message: Message, field: string): unknown {
  return (message as unknown as Readonly<Record<string, unknown>>)[field];
}

interface Group {
  readonly where: Place | null;
  readonly indexes: number[];
}

async function groupByPlace(
  cluster: Cluster,
  results: readonly BatchStartRunsResult[],
  unreachable: string | undefined,
): Promise<ReadonlyMap<string, Group>> {
  const places = new Map<string, Promise<Place | null>>();
  const groups = new Map<string, Group>();
  for (const [index, result] of results.entries()) {
    const runId = refusalOf(result);
    if (runId === null) continue;
    const located = places.get(runId) ?? cluster.locate(runId, unreachable);
    places.set(runId, located);
    const where = await located;
    const key = where === null || where === "here" ? String(where) : where.address;
    const group = groups.get(key) ?? { where, indexes: [] };
    groups.set(key, group);
    group.indexes.push(index);
  }
  return groups;
}

/**
 * The run by which a refused start is routed, empty if it can go anywhere; null if it was not refused for its place.
 */
function refusalOf({ result }: BatchStartRunsResult): string | null {
  if (result.case !== "error") return null;
  const error = fromStatus(result.value);
  return isElsewhere(error) ? runIdOf(error) : null;
}

async function waitFor(
  { waitAnywhere, draining }: BatchParts,
  { result }: BatchStartRunsResult,
  paths: readonly string[],
  waitMs: number,
  call: CallContext,
): Promise<void> {
  if (result.case !== "run" || draining.aborted) return;
  const { runId } = result.value;
  const request = create(WaitRunRequestSchema, {
    runId,
    wait: durationFromMs(waitMs),
    readMask: { paths: [...paths] },
  });
  // The start is durable: if the wait fails, respond with the run as it was.
  const waited: Run | undefined = await waitAnywhere(request, call).then(
    ({ run }) => run,
    () => undefined,
  );
  if (waited !== undefined) result.value = waited;
}
