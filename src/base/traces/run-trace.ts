/**
 * The trace of a run. It is the run's own: its id and those of its spans are derived from the run, its task, and the
 * attempt. The next owner of the run, and a later reader of its journal, come to the same ids.
 */
import { hash } from "node:crypto";
import { formatTraceparent, type SpanPosition, type TraceContext } from "./trace-context.ts";

/** What the journal keeps of it, from the start of the run. */
export interface TraceFacts {
  /** Whether the spans of the run are exported as they end; absent: the start was not traced, and the run has none. */
  readonly sampled?: boolean;
  /** `traceparent` of the start; absent: it came without one. */
  readonly caller?: string;
  /** Its `tracestate`, if it has one. */
  readonly state?: string;
}

/** A run as far as its trace needs it. */
export interface TracedRun {
  readonly runId: string;
  /** When it was started, milliseconds: callers choose ids of runs, and use them again on another database. */
  readonly createdAt: number;
}

/** An attempt of a task of a run, from 1; 0: the task as a whole. */
export interface TracedAttempt {
  readonly path: string;
  readonly generation: number;
  readonly attempt: number;
}

/** The id of the run's trace. */
export function traceIdOf({ runId, createdAt }: TracedRun): string {
  return derive(`trace\n${runId}\n${createdAt}`, 32);
}

/** The id of the run's root span. */
export function runSpanIdOf({ runId, createdAt }: TracedRun): string {
  return derive(`run\n${runId}\n${createdAt}`, 16);
}

/** The id of an attempt's span. */
export function attemptSpanIdOf({ runId, createdAt }: TracedRun, { path, generation, attempt }: TracedAttempt): string {
  return derive(`attempt\n${runId}\n${createdAt}\n${path}\n${generation}\n${attempt}`, 16);
}

/** The id of the span of a call that an attempt makes. `number`: which one it is, from 1. */
export function callSpanIdOf(attemptSpanId: string, number: number): string {
  return derive(number === 1 ? `call\n${attemptSpanId}` : `call\n${attemptSpanId}\n${number}`, 16);
}

/**
 * The context that an attempt hands on: its own span, or for a run whose start was not traced that of the caller, so
 * that a service between two traced ones cuts no trace. Null: there is none.
 */
export function contextOfAttempt(
  run: TracedRun & { readonly trace: TraceFacts | undefined },
  attempt: TracedAttempt,
): TraceContext | null {
  const { trace } = run;
  if (trace === undefined) return null;
  return trace.sampled === undefined
    ? callerOf(trace)
    : toContext(trace, { traceId: traceIdOf(run), spanId: attemptSpanIdOf(run, attempt), sampled: trace.sampled });
}

/** The context of the run as a whole, for runs that take its place. */
export function contextOfRun(run: TracedRun & { readonly trace: TraceFacts | undefined }): TraceContext | null {
  const { trace } = run;
  if (trace === undefined) return null;
  return trace.sampled === undefined
    ? callerOf(trace)
    : toContext(trace, { traceId: traceIdOf(run), spanId: runSpanIdOf(run), sampled: trace.sampled });
}

/** The facts of a child run that an attempt starts: it is sampled as its parent is. */
export function childTraceOf(
  run: TracedRun & { readonly trace: TraceFacts | undefined },
  attempt: TracedAttempt,
): TraceFacts | undefined {
  const context = contextOfAttempt(run, attempt);
  return context === null ? undefined : toFacts(context, run.trace?.sampled);
}

/** The facts of a run that was started with this context. */
export function toFacts(caller: TraceContext | null, sampled?: boolean): TraceFacts | undefined {
  if (caller === null) return sampled === undefined ? undefined : { sampled };
  const { traceparent, tracestate } = caller;
  return {
    ...(sampled === undefined ? {} : { sampled }),
    caller: traceparent,
    ...(tracestate === "" ? {} : { state: tracestate }),
  };
}

function callerOf({ caller, state = "" }: TraceFacts): TraceContext | null {
  return caller === undefined ? null : { traceparent: caller, tracestate: state };
}

function toContext({ state = "" }: TraceFacts, position: SpanPosition): TraceContext {
  return { traceparent: formatTraceparent(position), tracestate: state };
}

/** Hex digits; never only zeros, which no id may be. */
function derive(text: string, digits: number): string {
  const id = hash("sha1", text).slice(0, digits);
  return /[^0]/.test(id) ? id : `${id.slice(1)}1`;
}
