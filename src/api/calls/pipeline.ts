/**
 * The steps of every call, in order:
 *
 *   started (metrics) → identify → authorize → decode → validate → deadline (default, clamp; aborts the call) →
 *   handler, here or at the owner of the run → encode → classify errors → finished (metrics, log)
 *
 * Protocols provide the functions that decode and encode, and move bytes. An error that one call throws, even in its
 * encoder, ends only that call. A call is answered exactly once: by its handler, its deadline, or the caller's
 * disconnect, whichever comes first. A late result of the handler is dropped, but what it committed stays committed.
 */
import type { Message } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { OrchestratorError } from "../../base/errors.ts";
import { fail, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { MAX_TIMER_MS } from "../../base/time/long-timer.ts";
import { parseTraceparent, TRACEPARENT } from "../../base/traces/trace-context.ts";
import { classifyError, forCall } from "../errors/status.ts";
import { fromDuration } from "../mapping/time.ts";
import { violationError } from "../requests/violation-error.ts";
import type { Call, CallSpans, UnaryHandler } from "./call.ts";
import { authorize, type Identify, type Identity } from "./identity.ts";
import type { ServedMethod } from "./methods.ts";
import type { Route } from "./routing.ts";

/** Default deadline of a unary call, milliseconds. The `wait` of a request is added to it. */
export const DEFAULT_DEADLINE_MS = 30_000;
/** Longest duration of a unary call, milliseconds. Later deadlines are lowered to it. */
export const MAX_DEADLINE_MS = 120_000;

/** Metrics of calls. `code` is the name of the gRPC status, `OK` for success. */
export interface CallMetrics {
  /** A recorder for one method, created once. */
  forMethod(method: ServedMethod): MethodMetrics;
}

export interface MethodMetrics {
  started(call: Call): void;
  finished(code: string, seconds: number, call: Call): void;
  sent(): void;
}

/** Receives the end of a unary call: an error or the encoded response. */
export type Done<T> = (error: OrchestratorError | null, response: T | null) => void;

/** Encodes a response for its protocol. An error that it throws ends the call. */
export type EncodeResponse<T> = (response: Message) => T;

/** Runs calls through the steps. */
export interface Pipeline {
  /** Runs a unary call and calls `done` exactly once; synchronously only if the request is rejected. */
  runUnary<T>(method: ServedMethod, call: Call, decode: () => Message, encode: EncodeResponse<T>, done: Done<T>): void;
  /** Runs a streaming call. The iterator yields encoded messages and throws only errors of the catalog. */
  runStream<T>(method: ServedMethod, call: Call, decode: () => Message, encode: EncodeResponse<T>): AsyncIterable<T>;
}

function expire(call: Call): void {
  call.abort(toError("DEADLINE_EXCEEDED"));
}

/** Rejects a call whose deadline passed before it began. */
function checkTime(call: Call): void {
  if (call.reason !== null) throw call.reason;
  if (call.timeoutMs !== undefined && call.timeoutMs <= 0) fail("DEADLINE_EXCEEDED");
}

/** Sets the identity of a call if it is authorized. */
function admit(call: Call, identity: Identity, method: ServedMethod): void {
  call.caller = identity.caller;
  call.forwarded = identity.forwarded;
  authorize(identity, method);
}

/** Resolves with the identity, or rejects if the call is aborted first. */
function unlessAborted(call: Call, identity: Promise<Identity>): Promise<Identity> {
  return new Promise((resolve, reject) => {
    call.onAbort = reject;
    identity.then(resolve, reject).finally(() => {
      call.onAbort = null;
    });
  });
}

function waitMsOf(method: ServedMethod, request: Message): number {
  if (!method.waits) return 0;
  const { wait } = request as { readonly wait?: Duration };
  return wait === undefined ? 0 : fromDuration(wait);
}

/** The run that a message names, or has. */
function runOf(message: Message | null): string | undefined {
  const { run, runId = run?.runId } = (message ?? {}) as { runId?: string; run?: { runId?: string } };
  return runId || undefined;
}

export interface PipelineParts {
  /** The methods that it serves. */
  readonly methods: readonly ServedMethod[];
  readonly log: Log;
  readonly metrics: CallMetrics;
  /** Absent or null: calls have no spans. */
  readonly spans?: CallSpans | null;
  readonly identify: Identify;
  /** Forwards unary calls to other instances; absent: all are handled here. */
  readonly route?: Route;
}

/** What the pipeline keeps for a method. */
interface Prepared {
  readonly recorder: MethodMetrics;
  readonly unary: UnaryHandler | null;
}

export function createPipeline({ methods, log, metrics, spans = null, identify, route }: PipelineParts): Pipeline {
  // Created at the start, so that every method has its metrics at 0.
  const prepared = new Map(
    methods.map((method): [ServedMethod, Prepared] => {
      const { unary } = method;
      const handler = unary === null || route === undefined ? unary : route(method, unary);
      return [method, { recorder: metrics.forMethod(method), unary: handler }];
    }),
  );
  const prepare = (method: ServedMethod): Prepared => {
    const found = prepared.get(method);
    if (found === undefined) throw new Error(`${method.path} is not served here`);
    return found;
  };

  const beginSpan = (method: ServedMethod, call: Call): void => {
    if (spans === null) return;
    const { protocol } = call;
    call.span = spans.begin({ method: method.path.slice(1), protocol, header: (name) => call.header(name) });
  };

  const decodeRequest = (method: ServedMethod, decode: () => Message): Message => {
    const request = decode();
    const violations = method.validate(request);
    if (violations !== null) throw violationError(violations);
    return request;
  };

  const logEnd = (method: ServedMethod, call: Call, error: OrchestratorError, ms: number): void => {
    const { caller, requestId } = call;
    const { tenantId } = caller;
    const traceId = parseTraceparent(call.header(TRACEPARENT))?.traceId;
    const fields = { method: method.path, requestId, tenantId, traceId, code: error.code, durationMs: Math.round(ms) };
    // The log reports a full disk once, not for each call.
    const isKnown = error.code === "SHUTTING_DOWN" || error.code === "STORE_FULL";
    if (error.grpc === "UNAVAILABLE" && !isKnown) log.warn(error.message, { ...fields, error });
    else if (error.grpc !== "INTERNAL") log.debug(error.message, fields);
  };

  return {
    runUnary<T>(method: ServedMethod, call: Call, decode: () => Message, encode: EncodeResponse<T>, done: Done<T>) {
      const { recorder, unary: handler } = prepare(method);
      const startedAt = performance.now();
      recorder.started(call);
      beginSpan(method, call);
      let request: Message | null = null;
      const answer = (failure: unknown, response: Message | null): void => {
        const ms = performance.now() - startedAt;
        let thrown = failure;
        let encoded: T | null = null;
        if (response !== null) {
          try {
            encoded = encode(response);
          } catch (error) {
            thrown = error;
          }
        }
        if (encoded !== null) {
          recorder.finished("OK", ms / 1_000, call);
          call.span?.end("OK", runOf(response) ?? runOf(request));
          done(null, encoded);
          return;
        }
        const error = forCall(classifyError(thrown, log, method.path, call), method.desc, request);
        recorder.finished(error.grpc, ms / 1_000, call);
        call.span?.end(error.grpc, runOf(request));
        logEnd(method, call, error, ms);
        done(error, null);
      };
      const finish = (failure: unknown, response: Message | null): void => {
        if (call.ended) return;
        call.ended = true;
        clearTimeout(timer);
        call.onAbort = null;
        try {
          answer(failure, response);
        } catch (error) {
          // Thrown into a timer or a promise, it would end the process.
          log.error("the response to a call could not be sent", {
            method: method.path,
            requestId: call.requestId,
            error,
          });
        }
      };
      let timer: NodeJS.Timeout | undefined;
      const limitTime = (ms: number, now: number): void => {
        clearTimeout(timer);
        call.deadlineAt = startedAt + Math.min(ms, MAX_DEADLINE_MS);
        timer = setTimeout(expire, call.deadlineAt - now, call);
      };
      const proceed = (identity: Identity, now: number): void => {
        if (handler === null) throw new Error(`${method.path} is not unary`);
        admit(call, identity, method);
        request = decodeRequest(method, decode);
        limitTime(call.timeoutMs ?? DEFAULT_DEADLINE_MS + waitMsOf(method, request), now);
        handler(request, call).then(
          (response) => finish(null, response),
          (error: unknown) => finish(error, null),
        );
      };
      call.onAbort = (reason) => finish(reason, null);
      try {
        checkTime(call);
        const identity = identify(call.headers, method);
        if (identity instanceof Promise) {
          // The time that identification takes is part of the deadline.
          limitTime(call.timeoutMs ?? DEFAULT_DEADLINE_MS, startedAt);
          identity
            .then((found) => {
              if (!call.ended) proceed(found, performance.now());
            })
            .catch((error: unknown) => finish(error, null));
        } else proceed(identity, startedAt);
      } catch (error) {
        finish(error, null);
      }
    },

    async *runStream(method, call, decode, encode) {
      const { recorder } = prepare(method);
      const startedAt = performance.now();
      recorder.started(call);
      beginSpan(method, call);
      let code = "CANCELLED";
      let request: Message | null = null;
      let timer: NodeJS.Timeout | undefined;
      // A later deadline is the same as none.
      if (call.timeoutMs !== undefined && call.timeoutMs <= MAX_TIMER_MS) {
        call.deadlineAt = startedAt + call.timeoutMs;
        timer = setTimeout(expire, call.timeoutMs, call);
      }
      try {
        const handler = method.stream;
        if (handler === null) throw new Error(`${method.path} does not stream`);
        checkTime(call);
        const identity = identify(call.headers, method);
        admit(call, identity instanceof Promise ? await unlessAborted(call, identity) : identity, method);
        request = decodeRequest(method, decode);
        for await (const message of handler(request, call)) {
          const encoded = encode(message);
          recorder.sent();
          yield encoded;
        }
        if (call.reason !== null) throw call.reason;
        code = "OK";
      } catch (thrown) {
        const error = forCall(call.reason ?? classifyError(thrown, log, method.path, call), method.desc, null);
        code = error.grpc;
        logEnd(method, call, error, performance.now() - startedAt);
        throw error;
      } finally {
        call.ended = true;
        clearTimeout(timer);
        recorder.finished(code, (performance.now() - startedAt) / 1_000, call);
        call.span?.end(code, runOf(request));
      }
    },
  };
}
