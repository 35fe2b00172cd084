/** A call in flight, as handlers see it, whichever protocol it came by. */
import type { DescMessage, DescService, Message, MessageShape } from "@bufbuild/protobuf";
import type { OrchestratorError } from "../../base/errors.ts";
import { toError } from "../../base/errors.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import { ANYBODY, type CallHeaders } from "./caller.ts";
import { toRequestId } from "./request-id.ts";

/** Protocols that the one port speaks. */
export type Protocol = "grpc" | "grpc-web" | "connect" | "rest";

/** What a handler may know about its call. */
export interface CallContext {
  readonly caller: Caller;
  readonly protocol: Protocol;
  /** Another instance sent the call on, see `Identity.forwarded`. */
  readonly forwarded: boolean;
  /** Id of the request for errors and logs: the caller's `x-request-id`, else one of our own. */
  readonly requestId: string;
  /** Milliseconds until the deadline; never negative, infinite for streams without one. */
  remainingMs(): number;
  /**
   * Says that a stream has begun, before its first message: the caller gets its headers. What fails later ends the
   * stream.
   */
  opened(): void;
  /**
   * Aborts when the caller has gone, the deadline has passed or the service ends; its reason is the error. Made on
   * first use.
   */
  readonly signal: AbortSignal;
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

/** A call in flight. Owned by the pipeline; protocols end it with {@link Call.abort}. */
export class Call implements CallContext {
  /** Set by the pipeline, which identifies the caller; nobody in particular before. */
  caller: Caller = ANYBODY;
  /** Set by the pipeline with the caller. */
  forwarded = false;
  readonly protocol: Protocol;
  readonly headers: CallHeaders;
  /** Time that the caller gives the call, milliseconds; undefined when it does not say. */
  readonly timeoutMs: number | undefined;
  /** Monotonic milliseconds, set by the pipeline; infinite when there is none. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** Why the call was given up; null while it was not. */
  reason: OrchestratorError | null = null;
  /** Whether it was answered; the pipeline's. */
  ended = false;
  /** Called once when the call is given up; the pipeline's. */
  onAbort: ((reason: OrchestratorError) => void) | null = null;
  /** Called when a stream has begun; its protocol's. */
  onOpened: (() => void) | null = null;
  #controller: AbortController | null = null;
  #requestId: string | null = null;

  constructor(protocol: Protocol, timeoutMs: number | undefined, headers: CallHeaders) {
    this.headers = headers;
    this.protocol = protocol;
    this.timeoutMs = timeoutMs;
  }

  /** See {@link CallContext.signal}. Most calls never ask for it, so most calls never pay for it. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.reason !== null) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** See {@link CallContext.requestId}. Looked for on first use: calls that go well never ask. */
  get requestId(): string {
    this.#requestId ??= toRequestId(this.headers.get("x-request-id"));
    return this.#requestId;
  }

  remainingMs(): number {
    return Math.max(0, this.deadlineAt - performance.now());
  }

  opened(): void {
    if (this.ended || this.reason !== null) return;
    this.onOpened?.();
    this.onOpened = null;
  }

  /**
   * The caller has gone. Some servers say so after every answered call as well; that means nothing and costs nothing.
   */
  cancel(): void {
    if (!this.ended) this.abort(toError("REQUEST_CANCELLED"));
  }

  /** Gives the call up: the signal aborts and the pipeline answers with `reason`. Later calls do nothing. */
  abort(reason: OrchestratorError): void {
    if (this.reason !== null) return;
    this.reason = reason;
    this.#controller?.abort(reason);
    this.onAbort?.(reason);
  }
}
