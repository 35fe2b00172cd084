/**
 * The spans of a run, from its records: the same whether they are folded as they become durable or read from the
 * journal later. One span per attempt, one per group and per wait, and the root.
 *
 *   first record of an attempt → span begins → hand-overs, deferrals, takeovers as events → end → span
 *   the record that ends the run → spans of what is still open → the summary of what was omitted → the root
 *
 * No text that a tool or a caller wrote is in them: errors are told by their type.
 */
import { attemptSpanIdOf, runSpanIdOf, type TraceFacts, traceIdOf } from "../../base/traces/run-trace.ts";
import { parseTraceparent, type SpanPosition } from "../../base/traces/trace-context.ts";
import type { JournalRecord } from "../../engine/machine/records.ts";
import type { RunState, TaskState } from "../../engine/machine/state.ts";
import type { Attributes, Span, SpanEvent, SpanLink } from "./span.ts";

/** Most spans of attempts of a run; the others are one span. */
const MAX_RUN_SPANS = 2_000;
/** Most events of a span. */
const MAX_EVENTS = 64;

/** A run as its spans tell it. */
type SpanRun = Pick<RunState, "runId" | "createdAt" | "flowId" | "version" | "tenantId" | "facts" | "tasks">;

/** What the flow says of a task: its type, for instance `http`; empty when unknown. */
type TaskTypeOf = (path: string) => string;

interface Open {
  readonly attempt: number;
  readonly startedAt: number;
  readonly events: SpanEvent[];
  /** Where the task went; empty: it is done here. */
  to: string;
}

/** Folds records into spans. */
export class RunSpans {
  readonly #run: SpanRun;
  readonly #typeOf: TaskTypeOf;
  readonly #root: SpanPosition;
  readonly #most: number;
  readonly #tasks: SpanRun["tasks"] | null;
  readonly #events: SpanEvent[] = [];
  readonly #open = new Map<string, Open>();
  #made = 0;
  #omitted = { count: 0, failed: 0, from: Number.POSITIVE_INFINITY, to: 0 };

  /** `tasks`: those of a run whose first records are not folded here, because another instance wrote them. */
  constructor(run: SpanRun, typeOf: TaskTypeOf, tasks: SpanRun["tasks"] | null = null, most = MAX_RUN_SPANS) {
    this.#most = most;
    this.#run = run;
    this.#typeOf = typeOf;
    this.#root = { traceId: traceIdOf(run), spanId: runSpanIdOf(run), sampled: true };
    this.#tasks = tasks;
    for (const task of tasks?.values() ?? []) this.#resume(task);
  }

  /** Returns the spans that end with this record. */
  add(record: JournalRecord): readonly Span[] {
    switch (record.type) {
      case "task.limited":
      case "task.scheduled":
        this.#begin(record.task, record.attempt, record.at);
        this.#tell(record.task, record.type === "task.limited" ? "limited" : "scheduled", record.at);
        return NONE;
      case "task.dispatched":
        this.#begin(record.task, record.attempt, record.at).to = record.to ?? "";
        if (record.to !== undefined || record.again === true)
          this.#tell(record.task, record.again === true ? "dispatched again" : "handed over", record.at);
        return NONE;
      case "task.waiting":
        this.#begin(record.task, record.attempt ?? 1, record.at);
        this.#tell(record.task, `waiting for ${record.wait.kind}`, record.at);
        return NONE;
      case "task.expanded":
        this.#begin(record.task, 0, record.at);
        return NONE;
      case "task.started":
        this.#tell(record.task, "started", record.at);
        return NONE;
      case "task.returned":
        this.#tell(record.task, "returned", record.at, { reason: record.reason });
        return NONE;
      case "task.suspended":
        this.#tell(record.task, record.gate === true ? "gate asks" : "interrupted", record.at);
        return NONE;
      case "task.retrying":
        if (record.deferred !== true) return this.#end(record.task, record.at, record.error.type, record.attempt);
        this.#tell(record.task, "deferred", record.at, { "error.type": record.error.type });
        return NONE;
      case "task.completed":
        // Work that is done without an attempt has its input in this record.
        return this.#end(record.task, record.at, "", record.attempt ?? (record.input === undefined ? 1 : 0));
      case "task.failed":
        return this.#end(record.task, record.at, record.error.type, record.attempt);
      case "task.canceled":
        return this.#open.has(record.task) ? this.#end(record.task, record.at, "CANCELED") : NONE;
      case "run.held":
      case "run.released":
        this.#tellRun(record.type === "run.held" ? "held" : "released", record.at, {
          "orchestrator.run.hold": record.hold,
        });
        return NONE;
      case "run.recovered":
      case "run.restored":
      case "run.ending":
      case "run.compensating":
        this.#tellRun(record.type.slice("run.".length), record.at);
        return NONE;
      case "signal.received":
        this.#tellRun("signal", record.at, { "orchestrator.run.signal": record.name });
        return NONE;
      case "state.entered":
        this.#tellRun("state", record.at, { "orchestrator.run.state": record.state });
        return NONE;
      case "run.completed":
        return this.#endRun(record.at, "");
      case "run.failed":
        return this.#endRun(record.at, record.error.type);
      case "run.canceled":
        return this.#endRun(record.at, "CANCELED");
      case "run.timed_out":
        return this.#endRun(record.at, "RUN_TIMEOUT");
      case "run.terminated":
        return this.#endRun(record.at, "TERMINATED");
      default:
        return NONE;
    }
  }

  #resume({ path, state, attempt, group, readyAt, startedAt, scheduledAt, handedTo }: TaskState): void {
    if (state === "COMPLETED" || state === "FAILED" || state === "TIMED_OUT") this.#made += 1;
    if (state !== "RUNNING" && state !== "SCHEDULED" && state !== "WAITING") return;
    const startedAtOf = [readyAt, startedAt, scheduledAt].find((time) => time > 0) ?? this.#run.createdAt;
    const open = { attempt: group === null ? attempt : 0, startedAt: startedAtOf, events: [], to: handedTo ?? "" };
    this.#open.set(path, open);
  }

  /** An attempt of which this is the only record: it was computed at once, or another instance wrote the others. */
  #find(path: string, attempt: number, at: number): Open {
    const task = this.#tasks?.get(path);
    const isIt = task?.attempt === attempt && task.readyAt > 0;
    return { attempt, startedAt: isIt ? task.readyAt : at, events: [], to: isIt ? (task.handedTo ?? "") : "" };
  }

  #begin(path: string, attempt: number, at: number): Open {
    const found = this.#open.get(path);
    if (found?.attempt === attempt) return found;
    const open: Open = { attempt, startedAt: at, events: [], to: "" };
    this.#open.set(path, open);
    return open;
  }

  #tell(path: string, name: string, at: number, attributes: Attributes = {}): void {
    const events = this.#open.get(path)?.events;
    if (events !== undefined && events.length < MAX_EVENTS) events.push({ name, at, attributes });
  }

  #tellRun(name: string, at: number, attributes: Attributes = {}): void {
    if (this.#events.length < MAX_EVENTS) this.#events.push({ name, at, attributes });
  }

  #end(path: string, at: number, error: string, recorded = 1): readonly Span[] {
    const open = this.#open.get(path);
    this.#open.delete(path);
    const { attempt, startedAt, events, to } = open ?? this.#find(path, recorded, at);
    if (this.#made >= this.#most) {
      const { count, failed, from, to: last } = this.#omitted;
      const more = error === "" ? 0 : 1;
      this.#omitted = {
        count: count + 1,
        failed: failed + more,
        from: Math.min(from, startedAt),
        to: Math.max(last, at),
      };
      return NONE;
    }
    this.#made += 1;
    const type = this.#typeOf(path);
    const taskId = path.split(/[.~]/, 1)[0] ?? path;
    return [
      {
        ...this.#ids(attemptSpanIdOf(this.#run, { path, generation: 0, attempt }), this.#parentOf(path)),
        name: `task ${taskId}`,
        kind: to === "" ? "internal" : "producer",
        ...{ startedAt, endedAt: Math.max(at, startedAt), error, events, links: [] },
        attributes: {
          ...this.#about(),
          "orchestrator.task.path": path,
          "orchestrator.task.type": type || undefined,
          "orchestrator.task.attempt": attempt || undefined,
        },
      },
    ];
  }

  /** The spans of a run that has not ended, as far as they have come: for readers only, they are never exported. */
  unended(at: number): readonly Span[] {
    const open = [...this.#open.keys()].flatMap((path) => [...this.#end(path, at, "")]);
    const spans = [...open, ...this.#endRun(at, "")];
    return spans.map((span) => ({ ...span, attributes: { ...span.attributes, "orchestrator.open": true } }));
  }

  #endRun(at: number, error: string): readonly Span[] {
    const spans = [...this.#open.keys()].flatMap((path) => [...this.#end(path, at, "RUN_ENDED")]);
    const { count, failed, from, to } = this.#omitted;
    if (count > 0)
      spans.push({
        ...this.#ids(attemptSpanIdOf(this.#run, { path: "", generation: 0, attempt: 0 }), this.#root),
        name: "more tasks",
        kind: "internal",
        ...{ startedAt: from, endedAt: to, error: "", events: [], links: [] },
        attributes: { ...this.#about(), "orchestrator.run.omitted": count, "orchestrator.run.omitted_failed": failed },
      });
    const { createdAt, facts, flowId } = this.#run;
    spans.push({
      ...this.#ids(this.#root.spanId, null),
      name: `run ${flowId}`,
      kind: "internal",
      ...{ startedAt: createdAt, endedAt: Math.max(at, createdAt), error, events: this.#events },
      links: linksOf(facts),
      attributes: {
        ...this.#about(),
        "orchestrator.run.parent_id": facts.parent?.runId,
        "orchestrator.run.correlation_id": facts.correlationId || undefined,
      },
    });
    return spans;
  }

  /** The group that a child belongs to, otherwise the run. */
  #parentOf(path: string): SpanPosition {
    const dot = path.lastIndexOf(".");
    if (dot < 0) return this.#root;
    const spanId = attemptSpanIdOf(this.#run, { path: path.slice(0, dot), generation: 0, attempt: 0 });
    return { ...this.#root, spanId };
  }

  #ids(spanId: string, parent: SpanPosition | null) {
    return { traceId: this.#root.traceId, spanId, parent, tracestate: this.#run.facts.trace?.state ?? "" };
  }

  #about(): Attributes {
    const { runId, flowId, version, tenantId } = this.#run;
    return {
      "orchestrator.run.id": runId,
      "orchestrator.flow.id": flowId,
      "orchestrator.flow.version": version || undefined,
      "orchestrator.tenant.id": tenantId || undefined,
    };
  }
}

const NONE: readonly Span[] = [];

/** The span that started the run: of the caller, or of the attempt of its parent. */
function linksOf({ trace, parent }: { readonly trace?: TraceFacts; readonly parent: unknown }): readonly SpanLink[] {
  const to = trace?.caller === undefined ? null : parseTraceparent(trace.caller);
  return to === null ? [] : [{ to, attributes: { "orchestrator.link.kind": parent === null ? "caller" : "parent" } }];
}
