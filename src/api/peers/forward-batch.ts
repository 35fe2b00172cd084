/**
 * BatchStartRuns with several instances: each start goes where it can be made. Starts that this instance refuses go to
 * the instances that can take them. Then all runs are awaited with calls that a drain ends early.
 */
import { create, type Message, toBinary } from "@bufbuild/protobuf";
import { durationFromMs, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import { type Run, RunSchema } from "../../gen/orchestrator/v1/run_pb.ts";
import {
  type BatchStartRunsRequest,
  BatchStartRunsRequestSchema,
  type BatchStartRunsResponse,
  BatchStartRunsResponseSchema,
  type BatchStartRunsResult,
  BatchStartRunsResultSchema,
  type StartRunRequest,
  StartRunRequestSchema,
  type WaitRunRequest,
  WaitRunRequestSchema,
  type WaitRunResponse,
} from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, UnaryHandler } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import type { Routing } from "../calls/routing.ts";
import { fromStatus } from "../errors/from-status.ts";
import { toStatus } from "../errors/status.ts";
import { RUN_PAYLOADS, toReferences } from "../mapping/run.ts";
import { fromDuration } from "../mapping/time.ts";
import { isElsewhere, runIdOf } from "./forward-refusal.ts";
import { type Sender, Unreached, WAY_BACK_MS } from "./forward-send.ts";
import { type OwnersWork, PATIENCE_MS, sendToOwners } from "./send-to-owners.ts";
import { sentSizeOf } from "./sent-bytes.ts";

/** How much of a message the items of one call may fill. */
const FILLED = 0.9;

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
  const hasPayloads = paths.some((path) => RUN_PAYLOADS.includes(path));
  // Waits and references need the id.
  const needsId = (waitMs > 0 || hasPayloads) && !paths.includes("run_id");
  const masked = needsId ? [...paths, "run_id"] : paths;
  const mask = create(FieldMaskSchema, { paths: masked });
  const { items, results: answers } = parts.routing;
  const resultsOf = (message: Message) => fieldOf(message, answers) as readonly BatchStartRunsResult[];
  const starts = (fieldOf(request, items) as readonly StartRunRequest[]).map((start, index) =>
    start.requestId === "" && request.requestId !== ""
      ? { ...start, requestId: `${request.requestId}/${index}` }
      : start,
  );
  const batchOf = (some: readonly StartRunRequest[], requestId = ""): BatchStartRunsRequest =>
    create(BatchStartRunsRequestSchema, { requestId, [items]: some, readMask: mask });
  // The request id of the batch is used only if all of its runs are here.
  const results = [...resultsOf(await parts.handler(batchOf(starts, request.requestId), call))];
  const refused = [...results.entries()].flatMap(([index, result]) => {
    const runId = refusalOf(result);
    const start = starts[index];
    return runId === null || start === undefined ? [] : [{ index, start, runId, refusal: result }];
  });
  const startsOf = (some: readonly RefusedStart[]) => batchOf(some.map(({ start }) => start));
  const starting: OwnersWork<RefusedStart, BatchStartRunsResult> = {
    cluster: parts.cluster,
    runOf: ({ runId }) => runId,
    here: async (some) => resultsOf(await parts.handler(startsOf(some), call)),
    there: async (address, some) =>
      resultsOf(await parts.sender.send(address, parts.method, startsOf(some), call, call.signal)),
    movedTo: refusalOf,
    failed: ({ refusal }, why) => (why === null || why instanceof Unreached ? refusal : toFailedStart(why)),
    sizeOf: ({ start }) => sentSizeOf(StartRunRequestSchema, start),
    maxSize: FILLED * parts.sender.maxMessageBytes,
  };
  const patience = { ms: Math.min(PATIENCE_MS, call.remainingMs() - WAY_BACK_MS), signal: call.signal };
  const sent = await Promise.all(sendToOwners(starting, refused, patience));
  for (const [at, { index }] of refused.entries()) results[index] = sent[at] as BatchStartRunsResult;
  const restMs = Math.floor(waitMs - (performance.now() - startedAt));
  if (restMs > 0) await Promise.all(results.map((result) => waitFor(parts, result, masked, restMs, call)));
  if (hasPayloads) fitPayloads(results, FILLED * parts.sender.maxMessageBytes);
  if (needsId) for (const { result } of results) if (result.case === "run") result.value.runId = "";
  return create(BatchStartRunsResponseSchema, { [answers]: results });
}

/**
 * Replaces payloads with references from the run on at which the response is full: each part of it fits into a message,
 * and all of them together may not.
 */
function fitPayloads(results: readonly BatchStartRunsResult[], maxBytes: number): void {
  let size = 0;
  for (const answer of results) {
    const { result } = answer;
    const bytes = toBinary(BatchStartRunsResultSchema, answer).length;
    if (size + bytes > maxBytes && result.case === "run") toReferences(result.value);
    else size += bytes;
  }
}

function fieldOf(message: Message, field: string): unknown {
  return (message as unknown as Readonly<Record<string, unknown>>)[field];
}

/** A start that this instance refused for its place. */
interface RefusedStart {
  readonly index: number;
  readonly start: StartRunRequest;
  readonly runId: string;
  readonly refusal: BatchStartRunsResult;
}

/** Starts cannot always be repeated: one that may have been made fails. */
function toFailedStart(why: unknown): BatchStartRunsResult {
  const failure = isOrchestratorError(why) ? why : toError("PEER_LOST", {}, { cause: why });
  return create(BatchStartRunsResultSchema, { result: { case: "error", value: toStatus(failure) } });
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
