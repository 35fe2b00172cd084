/**
 * What every call passes, in this order and in this one place:
 *
 *   started (metrics) → identify → authorize → decode → validate → deadline (default, clamp; aborts the call) →
 *   handler, here or at the owner of the run → encode → classify errors → finished (metrics, log)
 *
 * Protocols bring the functions that decode and encode, and move bytes; they know nothing else. Whatever one call
 * throws, its encoder included, ends that call and nothing else. A call is answered exactly once: by its handler, by
 * its deadline, or by its caller going away, whichever is first; what the handler says later is dropped, while what it
 * committed stays committed.
 */
import type { Message } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { OrchestratorError } from "../../base/errors.ts";
import { fail, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { MAX_TIMER_MS } from "../../base/time/long-timer.ts";
import { classifyError, forCall } from "../errors/status.ts";
import { fromDuration } from "../mapping/time.ts";
import type { Call, UnaryHandler } from "./call.ts";
import { authorize, type Identify, type Identity } from "./identity.ts";
import type { ServedMethod } from "./methods.ts";
import type { Route } from "./routing.ts";

/** Deadline of a unary call that brings none, milliseconds. One that asks to wait gets its `wait` on top. */
export const DEFAULT_DEADLINE_MS = 30_000;
/** Longest time that a unary call may take, milliseconds. A later deadline is lowered to it. */
export const MAX_DEADLINE_MS = 120_000;

/** What is counted of calls. `code` is the name of the gRPC status, `OK` when it went well. */
export interface CallMetrics {
  /** A recorder for one method, made once. */
  forMethod(method: ServedMethod): MethodMetrics;
}

/** Counters of one method. */
export interface MethodMetrics {
  started(): void;
  finished(code: string, seconds: number): void;
  sent(): void;
}

/** Takes the end of a unary call: an error, or the encoded response. */
export type Done<T> = (error: OrchestratorError | null, response: T | null) => void;

/** Turns a response into what its protocol sends. An error that it throws ends the call. */
export type EncodeResponse<T> = (response: Message) => T;

/** Runs calls through the chain. */
export interface Pipeline {
  /**
   * Runs a unary call and ends it by `done`, exactly once, never synchronously before it returns unless the request is
   * refused.
   */
  runUnary<T>(method: ServedMethod, call: Call, decode: () => Message, encode: EncodeResponse<T>, done: Done<T>): void;
  /** Runs a streaming call. The iterator yields encoded messages and throws errors of the catalogue only. */
  runStream<T>(method: ServedMethod, call: Call, decode: () => Message, encode: EncodeResponse<T>): AsyncIterable<T>;
}

function expire(call: Call): void {
  call.abort(toError("DEADLINE_EXCEEDED"));
}

/** A call whose time has passed before it begins does nothing. */
function checkTime(call: Call): void {
  if (call.reason !== null) throw call.reason;
  if (call.timeoutMs !== undefined && call.timeoutMs <= 0) fail("DEADLINE_EXCEEDED");
}

/** Lets an identified call in, or refuses it. */
function admit(call: Call, identity: Identity, method: ServedMethod): void {
  call.caller = identity.caller;
  call.forwarded = identity.forwarded;
  authorize(identity, method);
}

/** The identity, unless the call is given up before it is known. */
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

/** What a chain is built from. */
export interface PipelineParts {
  /** The methods that it runs. */
  readonly methods: readonly ServedMethod[];
  readonly log: Log;
  readonly metrics: CallMetrics;
  readonly identify: Identify;
  /** Where unary calls are handled when there are several instances; absent: here. */
  readonly route?: Route;
}

/** What the chain keeps of a method. */
interface Prepared {
  readonly recorder: MethodMetrics;
  readonly unary: UnaryHandler | null;
}

/** Builds the chain. */
export function createPipeline({ methods, log, metrics, identify, route }: PipelineParts): Pipeline {
  // Made at the start, so that every method shows with 0.
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

  const decodeRequest = (method: ServedMethod, decode: () => Message): Message => {
    const request = decode();
    const violations = method.validate(request);
    if (violations !== null) {
      const first = violations[0];
      const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
      fail(
        "INVALID_REQUEST",
        { problem: `${first?.field}: ${first?.description}${more}`, field: first?.field ?? "" },
        { violations },
      );
    }
    return request;
  };

  const logEnd = (method: ServedMethod, call: Call, error: OrchestratorError, ms: number): void => {
    const { caller, requestId } = call;
    const { tenantId } = caller;
    const fields = { method: method.path, requestId, tenantId, code: error.code, durationMs: Math.round(ms) };
    // One line in the log says that the disk is full, not one for each call.
    const isKnown = error.code === "SHUTTING_DOWN" || error.code === "STORE_FULL";
    if (error.grpc === "UNAVAILABLE" && !isKnown) log.warn(error.message, { ...fields, error });
    else if (error.grpc !== "INTERNAL") log.debug(error.message, fields);
  };

  return {
    runUnary<T>(method: ServedMethod, call: Call, decode: () => Message, encode: EncodeResponse<T>, done: Done<T>) {
      const { recorder, unary: handler } = prepare(method);
      const startedAt = performance.now();
      recorder.started();
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
          recorder.finished("OK", ms / 1_000);
          done(null, encoded);
          return;
        }
        const error = forCall(classifyError(thrown, log, method.path, call), method.desc, request);
        recorder.finished(error.grpc, ms / 1_000);
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
          log.error("the answer to a call could not be sent", {
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
          // The time that it takes is the caller's.
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
      recorder.started();
      let code = "CANCELLED";
      let timer: NodeJS.Timeout | undefined;
      // A stream with a later deadline has none.
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
        for await (const message of handler(decodeRequest(method, decode), call)) {
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
        recorder.finished(code, (performance.now() - startedAt) / 1_000);
      }
    },
  };
}
