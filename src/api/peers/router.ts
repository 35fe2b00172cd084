/**
 * Routes calls to the instances that can handle them. The policy of a method says whether its calls go to the owner of
 * a run or operation (src/api/calls/routing.ts).
 *
 * A call is tried here first. Before anything happens, the engine refuses calls for runs that another instance owns
 * (RUN_MOVED) and starts while it owns no shard (NO_SHARD). Those are sent over gRPC to the instance that can handle
 * them.
 *
 *   refused → locate → here: try again · an address: send there · no owner yet: locate again after a pause, for at most
 *   three seconds
 *
 * An instance never forwards a forwarded call, so two instances that disagree cannot send it back and forth. A
 * forwarded start never includes its wait: a separate call waits for the run, and a drain of this instance ends that
 * call early with the run as it is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { create, type Message } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { isOrchestratorError, type OrchestratorError, toError } from "../../base/errors.ts";
import type { Cluster } from "../../engine/ports/cluster.ts";
import {
  type BatchStartRunsRequest,
  RunService,
  type StartRunRequest,
  type StartRunResponse,
  WaitRunRequestSchema,
} from "../../gen/orchestrator/v1/run_service_pb.ts";
import type { CallContext, UnaryHandler } from "../calls/call.ts";
import type { ServedMethod } from "../calls/methods.ts";
import type { Route } from "../calls/routing.ts";
import { isRepeatable } from "../errors/repeatable.ts";
import { fromDuration } from "../mapping/time.ts";
import { type BatchParts, startBatch, type WaitAnywhere } from "./forward-batch.ts";
import { isElsewhere, runIdOf } from "./forward-refusal.ts";
import { type Sender, Unreached, WAY_BACK_MS } from "./forward-send.ts";

/** How long to look for an instance that can handle a call, milliseconds. */
const PATIENCE_MS = 3_000;

/** First pause between attempts, milliseconds; later ones are longer. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;

/** Routes calls to the instances that can handle them. */
export interface Router {
  readonly route: Route;
}

export interface RouterParts {
  readonly cluster: Cluster;
  readonly sender: Sender;
  /** Ends forwarded waits. */
  readonly draining: AbortSignal;
}

export function createRouter({ cluster, sender, draining }: RouterParts): Router {
  /** Makes a refused call on the instance that can handle it. */
  const makeElsewhere = async (
    method: ServedMethod,
    handler: UnaryHandler,
    request: Message,
    call: CallContext,
    refusal: OrchestratorError,
  ): Promise<Message> => {
    const until = performance.now() + call.remainingMs() - WAY_BACK_MS;
    let giveUpAt = Math.min(performance.now() + PATIENCE_MS, until);
    let last = refusal;
    let unreachable: string | undefined;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const place = await cluster.locate(runIdOf(last), unreachable);
      unreachable = undefined;
      const sentAt = performance.now();
      try {
        if (place === "here") return await handler(request, call);
        if (place !== null) return await sendTo(place.address, method, handler, request, call);
      } catch (error) {
        if (error instanceof Unreached) unreachable = error.address;
        else if (isElsewhere(error)) last = error;
        else if (!hasLeft(error, place, method, request)) throw error;
        // Patience is for the search, not for what an instance took before it was lost.
        if (unreachable === undefined) giveUpAt = Math.min(giveUpAt + (performance.now() - sentAt), until);
      }
      if (performance.now() + pause >= giveUpAt || draining.aborted) throw last;
      await sleep(pause, undefined, { signal: call.signal });
    }
  };

  const sendTo = (
    address: string,
    method: ServedMethod,
    handler: UnaryHandler,
    request: Message,
    call: CallContext,
  ): Promise<Message> => {
    switch (method.desc) {
      case RunService.method.startRun:
        return sendStart(address, method, request as StartRunRequest, call);
      default:
        return method.waits
          ? sendWait(address, method, handler, request, call)
          : sender.send(address, method, request, call, call.signal);
    }
  };

  const sendWait = async (
    address: string,
    method: ServedMethod,
    handler: UnaryHandler,
    request: Message,
    call: CallContext,
  ): Promise<Message> => {
    if (draining.aborted) throw toError("SHUTTING_DOWN");
    try {
      return await sender.send(address, method, request, call, AbortSignal.any([call.signal, draining]));
    } catch (error) {
      if (!draining.aborted) throw error;
      // Without a wait the response comes from the store, whichever instance is the owner.
      return handler({ ...request, wait: durationFromMs(0) } as Message, call);
    }
  };

  let waitAnywhere: WaitAnywhere = () => Promise.reject(new Error("WaitRun is not served"));

  const sendStart = async (
    address: string,
    method: ServedMethod,
    { wait, readMask, ...start }: StartRunRequest,
    call: CallContext,
  ): Promise<Message> => {
    const startedAt = performance.now();
    const waitMs = wait === undefined ? 0 : fromDuration(wait);
    const paths = readMask?.paths;
    const mask =
      readMask === undefined
        ? {}
        : {
            readMask:
              waitMs > 0 && paths?.includes("run_id") === false
                ? { ...readMask, paths: [...readMask.paths, "run_id"] }
                : readMask,
          };
    const response = (await sender.send(
      address,
      method,
      { ...start, ...mask } as StartRunRequest,
      call,
      call.signal,
    )) as StartRunResponse;
    const restMs = waitMs - (performance.now() - startedAt);
    if (restMs <= 0 || response.run === undefined) return response;
    const waitRequest = create(WaitRunRequestSchema, {
      runId: response.run.runId,
      wait: durationFromMs(Math.ceil(restMs)),
      ...(readMask === undefined ? {} : { readMask }),
    });
    // The start is durable: if the wait fails, respond with the run as it was.
    const waited = await waitAnywhere(waitRequest, call).catch(() => null);
    return waited?.run === undefined ? response : Object.assign(response, { run: waited.run });
  };

  const routeToOwner = (method: ServedMethod, handler: UnaryHandler): UnaryHandler => {
    const routed: UnaryHandler = (request, call) =>
      handler(request, call).catch((error: unknown) => {
        if (call.forwarded || !isElsewhere(error)) throw error;
        return makeElsewhere(method, handler, request, call, error);
      });
    if (method.desc === RunService.method.waitRun) waitAnywhere = routed as UnaryHandler as unknown as WaitAnywhere;
    return routed;
  };

  const routeItems = (method: ServedMethod, routing: BatchParts["routing"], handler: UnaryHandler): UnaryHandler => {
    const parts: BatchParts = {
      cluster,
      sender,
      method,
      routing,
      handler,
      draining,
      waitAnywhere: (request, call) => waitAnywhere(request, call),
    };
    return (request, call) =>
      call.forwarded || cluster.view().others.length === 0
        ? handler(request, call)
        : startBatch(parts, request as BatchStartRunsRequest, call);
  };

  return {
    route(method, handler) {
      switch (method.routing.to) {
        case "any_instance":
          return handler;
        case "owner":
          return routeToOwner(method, handler);
        case "batch":
          if (method.desc !== RunService.method.batchStartRuns)
            throw new Error(`${method.path} is a batch whose responses cannot be combined`);
          return routeItems(method, method.routing, handler);
      }
    },
  };
}

/** Whether another instance refused because it stops, or was lost during a call that can be repeated. */
function hasLeft(error: unknown, place: unknown, { desc }: ServedMethod, request: Message): boolean {
  if (place === "here" || !isOrchestratorError(error)) return false;
  return (
    error.code === "SHUTTING_DOWN" ||
    (error.code === "PEER_LOST" && isRepeatable(desc, request as { readonly requestId?: unknown }))
  );
}
