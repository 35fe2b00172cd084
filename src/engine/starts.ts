/**
 * Starts of runs: placed on a shard, decided, durable; and what a start is told that collides with an earlier one.
 *
 * A request id that was used before is answered as the first call was, whatever has been registered or has ended since.
 */
import { isOrchestratorError, toError } from "../base/errors.ts";
import { isMintedRunId, mintRunId, shardOfRun } from "../base/ids.ts";
import { checkInput, checkSignal, runTimeoutMs } from "../flows/input.ts";
import type { RunEvent } from "./machine/events.ts";
import { openRun } from "./machine/run.ts";
import { createState } from "./machine/state.ts";
import type { Caller } from "./ports/caller.ts";
import type { StartConflict, StartRow } from "./ports/journal.ts";
import type { RunControl, StartRequest, StartResult } from "./ports/run-control.ts";
import type { RunReader, RunView } from "./ports/run-reader.ts";
import { type Cell, StartTaken } from "./shard/cell.ts";
import { checkGraphLoaded } from "./graph-loaded.ts";
import type { Runtime } from "./shard/runtime.ts";
import { checkLabels, checkText } from "./shard/texts.ts";

/** What starts need of the engine around them. */
export interface StartHost
  extends Pick<RunReader, "getRun" | "waitRun">,
    Pick<RunControl, "terminateRun" | "signalRun"> {
  /** Run timeout when neither start nor flow give one, milliseconds; null: none. */
  readonly defaultRunTimeoutMs: number | null;
  /** The run when it has ended, the time is up or the signal aborts. */
  waitFor(cell: Cell, waitMs: number, signal?: AbortSignal): Promise<RunView>;
  viewOf(cell: Cell): Promise<RunView>;
}

/** How often a start that keeps colliding is tried: as many callers may replace each other's runs at once. */
const MAX_START_TRIES = 200;

const NEVER = new AbortController().signal;

/** The start of the engine's port. */
export function createStart(runtime: Runtime, host: StartHost): RunControl["startRun"] {
  const { getRun, waitRun, terminateRun, signalRun, waitFor, viewOf } = host;

  const startRun: RunControl["startRun"] = async (caller, request, waitMs, signal) => {
    for (let tries = 1; ; tries += 1) {
      try {
        const { view } = await startOnce(caller, request, waitMs, signal);
        // Not awaited here: who waits long keeps neither the run nor this call in memory.
        return view.then((run) => ({ run, started: true }));
      } catch (error) {
        const isTaken = error instanceof StartTaken;
        // What cannot be started now may have been started before: by the same call, when another version was the last, or when its run id was free.
        if (!isTaken && !(request.requestId !== "" && isOrchestratorError(error) && error.retry === "no")) throw error;
        if (tries >= MAX_START_TRIES) throw toError("STORE_CONFLICT", {}, { cause: error });
        const conflict = await findConflict(caller, request, isTaken);
        if (conflict === null && !isTaken) throw error;
        // Without a conflict the key is free by now. Or a run of another tenant has the id: it does not exist for this caller, and yet the id is taken.
        const answer = conflict === null ? null : await answerConflict(caller, request, conflict, waitMs, signal);
        if (answer !== null) return answer;
      }
    }
  };

  const findConflict = (
    { tenantId }: Caller,
    request: StartRequest,
    isTaken: boolean,
  ): Promise<StartConflict | null> => {
    const { requestId, flowId } = request;
    const { runId, runKey } = isTaken ? request : { runId: "", runKey: "" };
    return runtime.parts.journal.findConflict({ tenantId, requestId, runId, flowId, runKey });
  };

  /** One try. Resolves when the start is durable; the view is what the caller waits for. */
  const startOnce = async (
    caller: Caller,
    request: StartRequest,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<{ readonly view: Promise<RunView> }> => {
    if (runtime.stopping) throw toError("SHUTTING_DOWN");
    const { tenantId } = caller;
    checkTexts(request);
    const plan = await runtime.parts.flows.planFor(tenantId, request.flowId, request.version);
    const at = runtime.now();
    const vars = checkInput(plan, request.input, at);
    checkGraphLoaded(plan, runtime.parts);
    for (const [index, { name, payload }] of request.signals.entries())
      checkSignal(plan, name, payload, `signals[${index}].data`);
    const { runId, shard } = placeRun(request, at);
    if (runtime.cells.has(runId)) throw new StartTaken(runId);
    const timeoutMs = request.runTimeoutMs ?? runTimeoutMs(plan, vars, at) ?? host.defaultRunTimeoutMs;
    const event: RunEvent = {
      type: "start",
      at,
      tenantId,
      vars,
      deadlineAt: timeoutMs === null ? null : at + request.startDelayMs + timeoutMs,
      startAt: request.startDelayMs > 0 ? at + request.startDelayMs : null,
      facts: {
        userId: request.userId,
        correlationId: request.correlationId,
        labels: request.labels,
        runKey: request.runKey,
        requestId: request.requestId,
        context: request.context,
        parent: null,
      },
      signals: request.signals,
      by: caller.actor,
    };
    const { cell, done } = runtime.begin(runId, shard, openRun(createState(runId), plan), event, keysOf(request));
    await done;
    return { view: waitMs > 0 ? waitFor(cell, waitMs, signal) : viewOf(cell) };
  };

  const placeRun = (request: StartRequest, at: number): { runId: string; shard: number } => {
    if (request.runId === "") {
      const shard = runtime.pickShard();
      if (shard === undefined) throw toError("NO_SHARD");
      return { runId: mintRunId(shard, at), shard };
    }
    if (isMintedRunId(request.runId)) {
      throw toError("INVALID_REQUEST", {
        problem: "run_id has the form of ids that the service mints; choose another form or leave it empty",
        field: "run_id",
      });
    }
    if (/[:~]/.test(request.runId))
      throw toError("INVALID_REQUEST", {
        problem: "run_id holds one of the signs : and ~, which mark ids of child runs; leave them out",
        field: "run_id",
      });
    const shard = shardOfRun(request.runId, runtime.parts.shards);
    if (runtime.epochOf(shard) === undefined) throw toError("RUN_MOVED", { runId: request.runId });
    return { runId: request.runId, shard };
  };

  const answerConflict = async (
    caller: Caller,
    request: StartRequest,
    conflict: StartConflict,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<StartResult | null> => {
    const existing = async (): Promise<StartResult> => {
      const run = await (waitMs > 0
        ? waitAnywhere(caller, conflict.runId, waitMs, signal)
        : getRun(caller, conflict.runId));
      // True again for a call that is repeated: it is answered as it was the first time.
      const { requestId } = run.state.facts;
      return { run, started: requestId !== "" && requestId === request.requestId };
    };
    switch (conflict.by) {
      case "request":
        if (conflict.requestHash === request.requestHash)
          return (await deliverSignals(caller, request, conflict.runId)) ? existing() : null;
        throw toError("REQUEST_ID_REUSED", { requestId: request.requestId });
      case "run":
        throw toError("RUN_ALREADY_EXISTS", { runId: request.runId });
      case "run_key":
        if (request.runKeyPolicy === "return_existing") {
          // Kept, so that the same call is answered with this run when it has ended. Somebody else may have kept it meanwhile: look again.
          if (request.requestId !== "" && !(await keepAnswer(caller, request, conflict.runId))) return null;
          return (await deliverSignals(caller, request, conflict.runId)) ? existing() : null;
        }
        if (request.runKeyPolicy === "reject")
          throw toError("RUN_KEY_OPEN", { runId: conflict.runId, runKey: request.runKey });
        await terminateRun(caller, conflict.runId, `replaced by a new run with run_key ${request.runKey}`).catch(
          (error: unknown) => {
            if (!isOrchestratorError(error) || error.code !== "RUN_FINISHED") throw error;
          },
        );
        return null;
    }
  };

  /**
   * Gives the signals of a start to the run that answers it, each once for a request id: the run knows those that it has. False when the run has ended without
   * them: the start begins anew, and its run has them from the beginning.
   */
  const deliverSignals = async (caller: Caller, request: StartRequest, runId: string): Promise<boolean> => {
    const { requestId, signals } = request;
    if (signals.length === 0) return true;
    const { state } = await getRun(caller, runId);
    if (requestId !== "" && state.facts.requestId === requestId) return true;
    for (const [index, { name, payload }] of signals.entries()) {
      // No request id of a caller holds a space.
      const key =
        requestId === "" ? undefined : { id: `start ${requestId} ${index}`, hash: request.requestHash.slice(0, 32) };
      try {
        await signalRun(caller, runId, name, payload, key);
      } catch (error) {
        if (!isOrchestratorError(error) || error.code !== "RUN_FINISHED") throw error;
        // One that took the first signal and ended has answered the start.
        if (index > 0) return true;
        if (requestId !== "") await runtime.parts.journal.forgetAnswer({ tenantId: caller.tenantId, requestId, runId });
        return false;
      }
    }
    return true;
  };

  const keepAnswer = ({ tenantId }: Caller, request: StartRequest, runId: string): Promise<boolean> =>
    runtime.parts.journal.keepAnswer({
      tenantId,
      requestId: request.requestId,
      requestHash: request.requestHash,
      runId,
    });

  /** Like `waitRun`; a run that another instance owns is answered as it is. */
  const waitAnywhere = (caller: Caller, runId: string, waitMs: number, signal = NEVER): Promise<RunView> =>
    waitRun(caller, runId, waitMs, signal).catch((error: unknown) => {
      if (isOrchestratorError(error) && error.code === "RUN_MOVED") return getRun(caller, runId);
      throw error;
    });

  return startRun;
}

/** Every text of a start that becomes a column of the store. */
function checkTexts(request: StartRequest): void {
  const { flowId, version, requestId, runId, runKey, userId, correlationId, labels } = request;
  checkText("flow_id", flowId);
  checkText("version", version);
  checkText("request_id", requestId);
  checkText("run_id", runId);
  checkText("run_key", runKey);
  checkText("user_id", userId);
  checkText("correlation_id", correlationId);
  checkLabels(labels);
}

function keysOf(request: StartRequest): StartRow["keys"] {
  const keys: { kind: "request" | "run"; key: string; hash: string }[] = [];
  if (request.requestId !== "") keys.push({ kind: "request", key: request.requestId, hash: request.requestHash });
  if (request.runId !== "") keys.push({ kind: "run", key: request.runId, hash: request.requestHash });
  return keys;
}
