/**
 * Child runs: started by their parent's task under an id that is derived from it, so that starting twice is starting once.
 *
 * A child follows its parent: it ends as the close policy says when nobody waits for it any more, and is held while the parent is. What one tells the other
 * is no record of either; whoever takes their shard over compares the two ({@link alignChild}).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isOrchestratorError, toError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json/json.ts";
import { failPoint } from "../../base/process/fail-points.ts";
import { checkInput, runTimeoutMs } from "../../flows/input.ts";
import type { ChildEnd, RunEvent } from "../machine/events.ts";
import { openRun, type Run } from "../machine/run.ts";
import { createState, isPaused, isTerminalPhase, type RunState } from "../machine/state.ts";
import type { StoredRun } from "../ports/journal.ts";
import { type Cell, StartTaken } from "./cell.ts";
import { closeChild, type EffectsHost } from "./effects.ts";
import { checkGraphLoaded } from "../graph-loaded.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import { checkLabels, checkText } from "./texts.ts";

/** What child runs need of the runtime. */
export interface ChildHost extends EffectsHost {
  readonly parts: RuntimeParts;
  readonly cells: Pick<ReadonlyMap<string, Cell>, "get" | "has" | "values">;
  begin(runId: string, shard: number, run: Run, event: RunEvent, keys: Cell["keys"]): { readonly done: Promise<void> };
  openStored(stored: StoredRun): Promise<Run>;
  untouched(runId: string): Promise<void>;
}

/** How deep runs may start runs: a flow that starts itself ends there. */
const MAX_RUN_DEPTH = 16;

/**
 * Starts the child that `path` of `parent` waits for, or takes note of its end if it has ended. A flow or input that is no good ends the wait with an error.
 * Resolves when the child is there or the parent knows why not; while the store is away it is tried again.
 */
export async function startChildRun(runtime: ChildHost, parent: Cell, path: string, childId: string): Promise<void> {
  if (parent.gone) return;
  try {
    const existing = await findState(runtime, childId);
    if (existing !== null && isTerminalPhase(existing.phase)) return tell(runtime, parent, path, childId, existing);
    if (existing === null) await begin(runtime, parent, path, childId);
    const child = existing === null ? runtime.cells.get(childId) : await runtime.cellOf(childId);
    if (child !== undefined && !parent.gone) follow(runtime, parent, path, child);
  } catch (error) {
    if (error instanceof StartTaken && (await isFree(runtime, parent, path, childId)))
      return startChildRun(runtime, parent, path, childId);
    if (isOrchestratorError(error) && error.retry !== "no") {
      // The store is away: the parent asks again when it is back.
      await sleep(1_000, undefined, { ref: false });
      return startChildRun(runtime, parent, path, childId);
    }
    fail(runtime, parent, path, childId, error);
  }
}

/** Whether the start of a child that was refused may be tried again; an open run key ends it. */
async function isFree(runtime: ChildHost, parent: Cell, path: string, childId: string): Promise<boolean> {
  const { tenantId, tasks } = parent.run.state;
  const { flow_id: flowId, run_key: runKey = "" } = (tasks.get(path)?.input ?? {}) as JsonObject;
  const lookup = { tenantId, requestId: "", runId: childId, flowId: String(flowId), runKey: String(runKey) };
  // When the store cannot be asked, the next try to start the child hears it from the store itself.
  const conflict = await runtime.parts.journal.findConflict(lookup).catch(() => null);
  if (conflict?.by !== "run_key") return true;
  fail(runtime, parent, path, childId, toError("RUN_KEY_OPEN", { runId: conflict.runId, runKey: String(runKey) }));
  return false;
}

function fail(runtime: ChildHost, parent: Cell, path: string, childId: string, error: unknown): void {
  const type = isOrchestratorError(error) ? error.code : "INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  const end: ChildEnd = { phase: "FAILED", output: null, error: { type, message, task: null } };
  post(runtime, parent, path, childId, end);
}

/** Tells a child that exists what its parent told it, or would have told it, before it could be heard. */
function follow(runtime: ChildHost, parent: Cell, path: string, child: Cell): void {
  if (isEnding(parent.run.state)) closeChild(runtime, parent, parent.run.state.tasks.get(path));
  else alignChild(runtime, parent.run.state, child);
}

/** Makes a child follow its parent as the two stand: ended when the parent no longer waits for it, held while the parent is held, released with it. */
export function alignChild(runtime: ChildHost, parent: RunState | null, child: Cell): void {
  const { state } = child.run;
  const link = state.facts.parent;
  if (link === null || isTerminalPhase(state.phase)) return;
  const send = (event: RunEvent): void => runtime.post(child, event);
  const at = runtime.now();
  const by = "orchestrator";
  const task = parent?.tasks.get(link.task);
  const isAwaited = task?.state === "WAITING" && task.wait?.kind === "run" && task.wait.runId === child.runId;
  if (parent === null || isTerminalPhase(parent.phase) || isEnding(parent) || !isAwaited) {
    const reason = `the run ${link.runId} that started this one no longer waits for it`;
    if (link.closePolicy === "terminate") send({ type: "terminate", at, by, reason });
    if (link.closePolicy === "cancel")
      send({ type: "cancel", at, by, reason, compensate: parent?.cause?.compensate ?? false });
    return;
  }
  if (isPaused(parent)) send({ type: "hold", at, hold: "parent", by, why: `the run ${link.runId} is paused` });
  else send({ type: "release", at, hold: "parent", by, why: "" });
}

async function findState(runtime: ChildHost, runId: string): Promise<RunState | null> {
  const cell = runtime.cells.get(runId);
  if (cell !== undefined) return cell.run.state;
  await runtime.untouched(runId);
  const stored = await runtime.parts.journal.loadRun(runId);
  return stored === null ? null : (await runtime.openStored(stored)).state;
}

async function begin(runtime: ChildHost, parent: Cell, path: string, childId: string): Promise<void> {
  const { state } = parent.run;
  const task = state.tasks.get(path);
  if (task === undefined || task.state !== "WAITING") return;
  if (isEnding(state)) return giveUp(runtime, parent, path, childId);
  const input = task.input as JsonObject;
  const { flow_id: flowId, version, input: given, close_policy: policy, run_key: runKey = "", labels } = input;
  checkText("run_key", String(runKey));
  const allLabels = checkLabels({ ...state.facts.labels, ...((labels ?? {}) as JsonObject) });
  const depth = (state.facts.parent?.depth ?? 0) + 1;
  if (depth > MAX_RUN_DEPTH)
    throw toError("LIMIT_EXCEEDED", { what: "the depth of runs in runs", size: depth, limit: MAX_RUN_DEPTH });
  const plan = await runtime.parts.flows.planFor(
    state.tenantId,
    String(flowId),
    typeof version === "string" ? version : "",
  );
  const vars = checkInput(plan, (given ?? {}) as JsonObject, runtime.now());
  checkGraphLoaded(plan, runtime.parts);
  // Much may have happened since.
  if (runtime.cells.has(childId) || parent.gone || task.state !== "WAITING") return;
  if (isEnding(state)) return giveUp(runtime, parent, path, childId);
  const at = runtime.now();
  const timeoutMs = runTimeoutMs(plan, vars, at);
  failPoint("child.start");
  const { done } = runtime.begin(
    childId,
    parent.shard,
    openRun(createState(childId), plan),
    {
      type: "start",
      at,
      tenantId: state.tenantId,
      vars,
      deadlineAt: timeoutMs === null ? null : at + timeoutMs,
      startAt: null,
      facts: {
        ...state.facts,
        labels: allLabels,
        runKey: String(runKey),
        requestId: "",
        parent: { runId: state.runId, task: path, closePolicy: (policy ?? "cancel") as "cancel", depth },
      },
      signals: [],
    },
    [{ kind: "run", key: childId, hash: "" }],
  );
  await done;
}

function isEnding(state: RunState): boolean {
  return state.phase === "CANCELING";
}

/** A child that was never started because its parent is being cancelled. */
function giveUp(runtime: ChildHost, parent: Cell, path: string, childId: string): void {
  post(runtime, parent, path, childId, { phase: "CANCELED", output: null, error: null });
}

function tell(runtime: ChildHost, parent: Cell, path: string, childId: string, child: RunState): void {
  post(runtime, parent, path, childId, {
    phase: child.phase as "COMPLETED",
    output: child.output ?? null,
    error: child.error,
  });
}

function post(runtime: ChildHost, parent: Cell, path: string, childId: string, end: ChildEnd): void {
  runtime.post(parent, { type: "child", at: runtime.now(), task: path, runId: childId, end, random: Math.random() });
}
