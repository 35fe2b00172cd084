/** What expressions can read, as a view over a run: nothing is copied until an expression reads it. */
import { CALLBACK_URL } from "../../base/callback-url.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import type { Inspect, Scope } from "../../flows/plan.ts";
import { childIndex, compensatedBy, parentPath, visitPath } from "./paths.ts";
import type { TaskError } from "./records.ts";
import type { Run } from "./run.ts";
import { publicState, type TaskState } from "./state.ts";

/** The URL is made for each attempt, when it is sent: here it stands for itself. */
const CALLBACK_NAMES: JsonObject = { url: CALLBACK_URL };

const NOT_BEGUN: JsonObject = { output: null, outputs: null, state: "PENDING", error: null, attempt: 0 };

/** What an expression can read besides the run. */
interface ScopeExtras {
  /** The signal that it is evaluated for. */
  readonly signalId?: number;
  /** Null: nobody looks at values. */
  readonly inspect?: Inspect | null;
}

const NO_EXTRAS: ScopeExtras = {};

/** The scope of an expression in the task at `path` (null: an expression of the flow). */
export function scopeOf(run: Run, path: string | null, first: string | null, extras = NO_EXTRAS): Scope {
  return new RunScope(run, path, first, extras);
}

class RunScope implements Scope {
  readonly #run: Run;
  readonly #path: string | null;
  readonly #first: string | null;
  readonly #signal: number | undefined;
  readonly inspect: Inspect | null;

  constructor(run: Run, path: string | null, first: string | null, { signalId, inspect = null }: ScopeExtras) {
    this.#run = run;
    this.#path = path;
    this.#first = first;
    this.#signal = signalId;
    this.inspect = inspect;
  }

  get vars(): JsonObject {
    return this.#run.state.vars;
  }

  get now(): number {
    return this.#run.now;
  }

  get run(): JsonObject {
    const { state } = this.#run;
    return {
      run_id: state.runId,
      flow_id: state.flowId,
      version: state.version,
      tenant_id: state.tenantId,
      user_id: state.facts.userId,
      correlation_id: state.facts.correlationId,
      labels: state.facts.labels,
      context: state.facts.context,
      start_time: new Date(state.createdAt).toISOString(),
      state: publicState(state),
    };
  }

  task(id: string): JsonObject | undefined {
    const { plan, state } = this.#run;
    if (plan.kind === "graph") return id === plan.graph ? viewOf(state.tasks.get(id)) : undefined;
    if (!plan.index.has(id)) return undefined;
    if (plan.kind === "dag") return viewOf(state.tasks.get(id));
    // The latest visit whose task has begun: a state that is entered again reads its previous visit.
    for (let visit = state.fsm?.visits.get(id) ?? 0; visit > 0; visit -= 1) {
      const task = state.tasks.get(visitPath(id, visit));
      if (task !== undefined) return viewOf(task);
    }
    return NOT_BEGUN;
  }

  /** Element of the nearest enclosing `map`. */
  get item(): Json | undefined {
    for (let path = this.#path; path !== null; path = parentPath(path)) {
      const parent = parentPath(path);
      const items = parent === null ? null : this.#run.state.tasks.get(parent)?.group?.items;
      if (items !== null && items !== undefined) return items[childIndex(path)];
    }
    return undefined;
  }

  get index(): number | undefined {
    return this.#path === null || parentPath(this.#path) === null ? undefined : childIndex(this.#path);
  }

  /** First dependency of the task, or of the nearest group that contains it. */
  get first(): JsonObject | undefined {
    let first = this.#first;
    for (let path = this.#path; first === null && path !== null; path = parentPath(path)) {
      first = this.#run.state.tasks.get(path)?.first ?? null;
    }
    return first === null ? undefined : { id: first, ...this.task(first) };
  }

  get signal(): JsonObject | undefined {
    const found = this.#run.state.signals.find((signal) => signal.id === this.#signal);
    return found === undefined ? undefined : { name: found.name, payload: found.payload };
  }

  get callback(): JsonObject {
    return CALLBACK_NAMES;
  }

  get compensates(): JsonObject | undefined {
    const undone = this.#path === null ? null : compensatedBy(this.#path);
    if (undone === null) return undefined;
    const task = this.#run.state.tasks.get(undone);
    return {
      task: undone,
      outcome: task?.state === "COMPLETED" ? "completed" : "unknown",
      input: task?.input ?? null,
      output: task?.output ?? null,
      children: task === undefined ? null : childrenOf(this.#run, task),
    };
  }
}

/** What a compensation can read about the children of a group, by index; null when the task is not a group. */
function childrenOf(run: Run, parent: TaskState): Json {
  if (parent.group === null) return null;
  const children: Json[] = [];
  for (let index = 0; index < parent.group.next; index += 1) {
    const child = run.state.tasks.get(`${parent.path}.${index}`);
    if (child === undefined) continue;
    const item = parent.group.items?.[index] ?? null;
    const { state, output = null } = child;
    children.push({ index, item, state, output, children: childrenOf(run, child) });
  }
  return children;
}

function viewOf(task: TaskState | undefined): JsonObject {
  if (task === undefined) return NOT_BEGUN;
  const output = task.output ?? null;
  const outputs = task.group === null ? null : ((output as JsonObject | null)?.outputs ?? null);
  const error = task.error === null ? null : toErrorView(task.error);
  return { output, outputs, state: task.state, error, attempt: task.attempt };
}

function toErrorView({ type, message, details = null }: TaskError): JsonObject {
  return { type, message, details };
}
