/** A call in flight, as handlers see it, independent of its protocol. */
import type { DescMessage, DescService, Message, MessageShape } from "@bufbuild/protobuf";
import type { OrchestratorError } from "../../base/errors.ts";
import { toError } from "../../base/errors.ts";
import { TRACEPARENT, TRACESTATE, type TraceContext } from "../../base/traces/trace-context.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import { ANYBODY, type CallHeaders } from "./caller.ts";
import { toRequestId } from "./request-id.ts";

/** Protocols that the port speaks. */
export type Protocol = "grpc" | "grpc-web" | "connect" | "rest";

/** What a handler knows about its call. */
export interface CallContext {
  readonly caller: Caller;
  readonly protocol: Protocol;
  /** Another instance forwarded the call, see `Identity.forwarded`. */
  readonly forwarded: boolean;
  /** Request id for errors and logs: `x-request-id` of the caller, or a generated one. */
  readonly requestId: string;
  /** A header of the request by its name in small letters; empty if there is none. */
  header(name: string): string;
  /** Milliseconds until the deadline; never negative, infinite for streams without one. */
  remainingMs(): number;
  /**
   * Marks a stream as begun before its first message, so that the caller gets its headers. Later errors end the stream.
   */
  opened(): void;
  /**
   * Resolves when the caller may get another answer. To be awaited after a wait, before a large answer is made: many
   * calls of one connection may have waited for the same thing.
   */
  turn(): Promise<void>;
  /**
   * Aborts when the caller disconnects, the deadline passes, or the service stops; its reason is the error. Created on
   * first use.
   */
  readonly signal: AbortSignal;
  /** Called when another instance that had the call has gone before it answered; absent: nobody counts it. */
  ownerDied?(): void;
}

/** The span of a call; the telemetry layer has the implementation. */
export interface CallSpan {
  readonly context: TraceContext;
  /** The trace that it is in. */
  readonly traceId: string;
  /** `code` is the name of the gRPC status; `runId` the run that it was about, if that is known. */
  end(code: string, runId: string | undefined): void;
}

/** Begins the span of a call to `method`, such as `orchestrator.v1.RunService/StartRun`; null: it has none. */
export interface CallSpans {
  begin(call: { readonly method: string; readonly protocol: Protocol; header(name: string): string }): CallSpan | null;
}

/** Handler of a unary method. */
export type UnaryHandler<I extends Message = Message, O extends Message = Message> = (
  request: I,
  call: CallContext,
) => Promise<O>;

/** Handler of a server-streaming method. It stops when its iterator is returned or the signal of the call aborts. */
export type StreamHandler<I extends Message = Message, O extends Message = Message> = (
  request: I,
  call: CallContext,
) => AsyncIterable<O>;

/** One handler for each method of a service, written once and used by every protocol. */
export type ServiceHandlers<S extends DescService> = {
  readonly [M in keyof S["method"]]: S["method"][M] extends {
    methodKind: infer K;
    input: infer I extends DescMessage;
    output: infer O extends DescMessage;
  }
    ? K extends "unary"
      ? UnaryHandler<MessageShape<I>, MessageShape<O>>
      : StreamHandler<MessageShape<I>, MessageShape<O>>
    : never;
};

/** A call in flight. The pipeline owns it; protocols end it with {@link Call.abort}. */
export class Call implements CallContext {
  /** Set by the pipeline once the caller is identified. */
  caller: Caller = ANYBODY;
  /** Set by the pipeline together with the caller. */
  forwarded = false;
  readonly protocol: Protocol;
  readonly headers: CallHeaders;
  /** Timeout that the caller set, milliseconds; undefined without one. */
  readonly timeoutMs: number | undefined;
  /** Monotonic milliseconds, set by the pipeline; infinite without a deadline. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** Why the call was aborted; null if it was not. */
  reason: OrchestratorError | null = null;
  /** Whether the call was answered. Only the pipeline sets it. */
  ended = false;
  /** The span of the call: what it leads to belongs to it. Null: it has none. Only the pipeline sets it. */
  span: CallSpan | null = null;
  /** Bytes of a stream that were sent and that its reader has not taken. The protocol sets it. */
  unreadBytes: (() => number) | null = null;
  /** Called once when the call is aborted. Only the pipeline sets it. */
  onAbort: ((reason: OrchestratorError) => void) | null = null;
  /** Called when a stream has begun. The protocol sets it. */
  onOpened: (() => void) | null = null;
  /**
   * Calls its argument when it is the call's turn. The protocol sets it, unless a connection has one call at a time.
   */
  onTurn: ((begin: () => void) => void) | null = null;
  #controller: AbortController | null = null;
  #requestId: string | null = null;

  constructor(protocol: Protocol, timeoutMs: number | undefined, headers: CallHeaders) {
    this.headers = headers;
    this.protocol = protocol;
    this.timeoutMs = timeoutMs;
  }

  /** See {@link CallContext.signal}. Created on demand, because most calls never use it. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.reason !== null) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** See {@link CallContext.requestId}. Determined on demand, because successful calls never use it. */
  get requestId(): string {
    this.#requestId ??= toRequestId(this.headers.get("x-request-id"));
    return this.#requestId;
  }

  header(name: string): string {
    if (this.span !== null && (name === TRACEPARENT || name === TRACESTATE)) return this.span.context[name];
    return String(this.headers.get(name) ?? "");
  }

  remainingMs(): number {
    return Math.max(0, this.deadlineAt - performance.now());
  }

  turn(): Promise<void> {
    const { onTurn } = this;
    return onTurn === null ? Promise.resolve() : new Promise(onTurn);
  }

  opened(): void {
    if (this.ended || this.reason !== null) return;
    this.onOpened?.();
    this.onOpened = null;
  }

  /** The caller disconnected. Some servers report this after answered calls too, where it has no effect. */
  cancel(): void {
    if (!this.ended) this.abort(toError("REQUEST_CANCELLED"));
  }

  /** Aborts the call: the signal fires, and the pipeline answers with `reason`. Only the first abort counts. */
  abort(reason: OrchestratorError): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#controller?.abort(reason);
    this.onAbort?.(reason);
  }
}
