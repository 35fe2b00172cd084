/**
 * Starts of runs: chooses a shard, decides, commits, and resolves conflicts with earlier starts.
 *
 * A repeated request id gets the same response as the first call, whatever has been registered or has ended since.
 */
import { isOrchestratorError, toError } from "../../../base/errors.ts";
import { drawUuid, isMintedRunId, mintRunId } from "../../../base/ids.ts";
import { EXECUTION_LABELS, EXECUTION_SOURCE, RECOVERY_LABEL } from "../../../base/labels.ts";
import { type TracedRun, type TraceFacts, toFacts } from "../../../base/traces/run-trace.ts";
import type { TraceContext } from "../../../base/traces/trace-context.ts";
import { checkStartable } from "../../../flows/builtin/ids.ts";
import { checkInput, checkSignal, runLimit, runTimeoutMs } from "../../../flows/input.ts";
import type { RunLimit } from "../../../flows/plan.ts";
import type { RunEvent } from "../../machine/events.ts";
import { emptyPlan, openRun } from "../../machine/run.ts";
import { createState } from "../../machine/state.ts";
import type { Caller } from "../../ports/caller.ts";
import type { StartConflict, StartRow } from "../../ports/journal.ts";
import type { RunControl, StartRequest, StartResult } from "../../ports/run-control.ts";
import type { RunView } from "../../ports/run-reader.ts";
import type { RunTraces } from "../../ports/traces/run-traces.ts";
import { StartOutdated, StartTaken } from "../../shard/resident.ts";
import type { Runs } from "../runs.ts";
import { checkCallbackUrl } from "./awaited-callbacks.ts";
import { checkGraphLoaded } from "./graph-loaded.ts";
import type { RunChanges } from "./run-changes.ts";
import type { RunViews } from "./run-views.ts";
import { checkLabels, checkShortText, checkText } from "./texts.ts";

export interface StartParts {
  /** Default run timeout, milliseconds; null: none. */
  readonly defaultRunTimeoutMs: number | null;
  /** How many executions (runs of the REST paths and Redis messages for workflows) may be open; null: any number. */
  readonly maxExecutions: number | null;
  readonly views: RunViews;
  readonly changes: RunChanges;
}

/** How often a conflicting start is retried, which is how many callers can replace each other's runs at once. */
const MAX_START_TRIES = 200;

/** The limit of executions. */
const EXECUTIONS = "orchestrator.dev/executions";

const NEVER = new AbortController().signal;

/** Creates the start call of `RunControl`. */
export function createStart(
  runs: Runs,
  { defaultRunTimeoutMs, maxExecutions, views, changes }: StartParts,
): RunControl["startRun"] {
  const { residence, journal, flows, graphs, publicUrl, shards, clock, submission, lifecycle, erasing } = runs;

  const startRun: RunControl["startRun"] = async (caller, request, waitMs, signal) => {
    for (let tries = 1; ; tries += 1) {
      try {
        const { view } = await startOnce(caller, request, waitMs, signal);
        // Not awaited here: a long wait must keep neither the run nor this call in memory.
        return view.then(toStarted);
      } catch (error) {
        if (error instanceof StartOutdated && tries < MAX_START_TRIES) {
          // The plan came from the cache. The store knows whether there is another; if not, this throws FLOW_NOT_FOUND.
          flows.forget(caller.tenantId, request.flowId, request.version);
          continue;
        }
        const isTaken = error instanceof StartTaken;
        // A start that fails now may have succeeded before: by the same call, when another version was the latest or
        // its run id was free.
        if (!isTaken && !(request.requestId !== "" && isOrchestratorError(error) && error.retry === "no")) throw error;
        if (tries >= MAX_START_TRIES) throw toError("STORE_CONFLICT", {}, { cause: error });
        const conflict = await findConflict(caller, request, isTaken);
        if (conflict === null && !isTaken) throw error;
        // Without a conflict the key is free now. Or a run of another tenant has the id, which does not exist for this
        // caller but is taken.
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
    return journal.findConflict({ tenantId, requestId, runId, flowId, runKey });
  };

  /** One attempt. Resolves when the start is durable; the caller then waits for the view. */
  const startOnce = async (
    caller: Caller,
    request: StartRequest,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<{ readonly view: Promise<RunView> }> => {
    if (lifecycle.stopping) throw toError("SHUTTING_DOWN");
    const { tenantId } = caller;
    checkTexts(request);
    const { plan, vars, at } = await prepare(tenantId, request);
    const { runId, shard } = placeRun(request, at);
    if (residence.residents.has(runId) || erasing.has(runId)) throw new StartTaken(runId);
    const limit = request.limit ?? runLimit(plan, vars, at) ?? executionLimit(request);
    const timeoutMs = request.runTimeoutMs ?? runTimeoutMs(plan, vars, at) ?? defaultRunTimeoutMs;
    const event: RunEvent = {
      type: "start",
      at,
      tenantId,
      vars,
      deadlineAt: timeoutMs === null ? null : at + request.startDelayMs + timeoutMs,
      startAt: request.startDelayMs > 0 ? at + request.startDelayMs : null,
      ...(limit === null ? {} : { limit }),
      sequence: runs.firstSequence ?? 1,
      facts: {
        userId: request.userId,
        correlationId: request.correlationId,
        labels:
          plan.recovery === null ? request.labels : { ...request.labels, [RECOVERY_LABEL]: plan.recovery.strategy },
        runKey: request.runKey,
        requestId: request.requestId,
        context: request.context,
        ...(request.budget === undefined ? {} : { budget: request.budget }),
        ...(request.hops === undefined ? {} : { hops: request.hops }),
        ...traceOf(runs.traces, { runId, createdAt: at }, request.trace ?? null),
        parent: null,
      },
      signals: request.signals,
      by: caller.actor,
      ...(request.refusal === null ? {} : { refusal: request.refusal }),
    };
    const resident = residence.begin(runId, shard, at, openRun(createState(runId), plan));
    resident.work.keys = keysOf(request);
    resident.work.named = request.runId !== "";
    if (waitMs > 0) {
      await submission.submit(resident, event);
      return { view: views.waitFor(resident, waitMs, signal) };
    }
    // When the caller is answered, the first tasks may have moved the run, which would then be read from the journal.
    let begun: RunView | null = null;
    const committed = (): void => {
      begun = views.shown(resident);
    };
    await new Promise<void>((resolve, reject) => submission.post(resident, event, { committed, resolve, reject }));
    return { view: begun === null ? views.viewOf(resident) : Promise.resolve(begun) };
  };

  const executionLimit = ({ labels }: StartRequest): RunLimit | null =>
    maxExecutions === null || labels[EXECUTION_LABELS.source] !== EXECUTION_SOURCE
      ? null
      : { name: EXECUTIONS, key: "", maxConcurrent: maxExecutions, rate: null };

  /** The plan of the run, and the values of its variables. */
  const prepare = async (tenantId: string, request: StartRequest) => {
    const { flowId, version, input, signals, refusal, limit } = request;
    if (refusal !== null) return { plan: emptyPlan(flowId), vars: input, at: clock.now() };
    if (request.builtIn !== true) checkStartable(flowId);
    const plan = await flows.planFor(tenantId, flowId, version);
    const mustBeDeclared = request.builtIn !== true && limit !== undefined && !hasBounds(limit);
    if (mustBeDeclared && !(await flows.isLimitDeclared(tenantId, limit.name)))
      throw toError("LIMIT_NOT_DECLARED", { limit: limit.name });
    const at = clock.now();
    const vars = checkInput(plan, input, at);
    checkGraphLoaded(plan, graphs);
    checkCallbackUrl(plan, publicUrl);
    for (const [index, { name, payload }] of signals.entries())
      checkSignal(plan, name, payload, `signals[${index}].data`);
    return { plan, vars, at };
  };

  const placeRun = (request: StartRequest, at: number): { runId: string; shard: number } => {
    if (request.runId === "") {
      const shard = shards.pick();
      if (shard === undefined) throw toError("NO_SHARD");
      if (request.drawsUuid === true) {
        const owned = new Set(shards.owned.filter((one) => !shards.spared.has(one)));
        const runId = drawUuid(shards.count, (one) => owned.has(one));
        return { runId, shard: shards.shardOf(runId) };
      }
      return { runId: mintRunId(shard, shards.count, at), shard };
    }
    if (isMintedRunId(request.runId, shards.count)) {
      throw toError("INVALID_REQUEST", {
        problem: "run_id has the form of ids that the service mints; choose another form or leave it empty",
        field: "run_id",
      });
    }
    if (/[:~]/.test(request.runId))
      throw toError("INVALID_REQUEST", {
        problem: "run_id contains : or ~, which mark ids of child runs; remove them",
        field: "run_id",
      });
    const shard = shards.shardOf(request.runId);
    if (shards.epochOf(shard) === undefined) throw toError("RUN_MOVED", { runId: request.runId });
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
        : views.getRun(caller, conflict.runId));
      // Also true for a repeated call, which gets the same response as the first time.
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
          // Stored, so that the same call returns this run even after its end. If someone else stored one in the
          // meantime, look again.
          if (request.requestId !== "" && !(await keepAnswer(caller, request, conflict.runId))) return null;
          return (await deliverSignals(caller, request, conflict.runId)) ? existing() : null;
        }
        if (request.runKeyPolicy === "reject")
          throw toError("RUN_KEY_OPEN", { runId: conflict.runId, runKey: request.runKey });
        await changes
          .terminateRun(caller, conflict.runId, `replaced by a new run with run_key ${request.runKey}`)
          .catch((error: unknown) => {
            if (!isOrchestratorError(error) || error.code !== "RUN_FINISHED") throw error;
          });
        return null;
    }
  };

  /**
   * Sends the signals of a start to the run that answers it. Each is applied once per request id, because the run
   * remembers them. False if the run ended without them: the start is repeated, and the new run has them from the
   * beginning.
   */
  const deliverSignals = async (caller: Caller, request: StartRequest, runId: string): Promise<boolean> => {
    const { requestId, signals } = request;
    if (signals.length === 0) return true;
    const { state } = await views.getRun(caller, runId);
    if (requestId !== "" && state.facts.requestId === requestId) return true;
    for (const [index, { name, payload }] of signals.entries()) {
      // Request ids of callers never contain a space.
      const key =
        requestId === "" ? undefined : { id: `start ${requestId} ${index}`, hash: request.requestHash.slice(0, 32) };
      try {
        await changes.signalRun(caller, runId, name, payload, key);
      } catch (error) {
        if (!isOrchestratorError(error) || error.code !== "RUN_FINISHED") throw error;
        // A run that took the first signal and then ended has answered the start.
        if (index > 0) return true;
        if (requestId !== "") await journal.forgetAnswer({ tenantId: caller.tenantId, requestId, runId });
        return false;
      }
    }
    return true;
  };

  const keepAnswer = ({ tenantId }: Caller, request: StartRequest, runId: string): Promise<boolean> =>
    journal.keepAnswer({
      tenantId,
      requestId: request.requestId,
      requestHash: request.requestHash,
      runId,
    });

  /** Like `waitRun`, but returns a run of another instance as it is. */
  const waitAnywhere = (caller: Caller, runId: string, waitMs: number, signal = NEVER): Promise<RunView> =>
    views.waitRun(caller, runId, waitMs, signal).catch((error: unknown) => {
      if (isOrchestratorError(error) && error.code === "RUN_MOVED") return views.getRun(caller, runId);
      throw error;
    });

  return startRun;
}

/** Has no closure, which would keep the request in memory for as long as its caller waits. */
function toStarted(run: RunView): StartResult {
  return { run, started: true };
}

/** The facts of the run's trace; none if neither this instance traces nor its caller does. */
function traceOf(
  traces: RunTraces | null,
  run: TracedRun,
  caller: TraceContext | null,
): { readonly trace?: TraceFacts } {
  const trace = toFacts(caller, traces?.isSampled(run, caller));
  return trace === undefined ? {} : { trace };
}

function hasBounds({ maxConcurrent, rate }: RunLimit): boolean {
  return maxConcurrent !== null || rate !== null;
}

/** Checks every text of a start that becomes a column. */
function checkTexts(request: StartRequest): void {
  const { flowId, version, requestId, runId, runKey, userId, correlationId, labels } = request;
  checkText("flow_id", flowId);
  checkText("version", version);
  checkText("request_id", requestId);
  checkText("run_id", runId);
  checkShortText("run_key", runKey);
  checkShortText("user_id", userId);
  checkShortText("correlation_id", correlationId);
  checkLabels(labels);
}

function keysOf(request: StartRequest): StartRow["keys"] {
  const keys: { kind: "request" | "run"; key: string; hash: string }[] = [];
  if (request.requestId !== "") keys.push({ kind: "request", key: request.requestId, hash: request.requestHash });
  if (request.runId !== "" && !request.fromMessage)
    keys.push({ kind: "run", key: request.runId, hash: request.requestHash });
  return keys;
}
