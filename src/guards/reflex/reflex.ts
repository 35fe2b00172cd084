/**
 * The client of Reflex, the external safety service: `POST /process`.
 *
 *   call ──breaker closed──→ tries, at most three, 2 s each, 5 s together ──→ safe | blocked | error
 *     └────breaker open────→ error at once, until 60 s after the fifth failure in a row; then three probes
 *
 * At most {@link MAX_AT_ONCE} calls are under way; others wait in line, which takes of their 5 s. One whose time ends
 * there has not been made, and says nothing about Reflex.
 *
 * Connection errors, tries that are late, and 5xx are tried again. Everything else that is no answer by the protocol is
 * an error: other statuses, redirects, bodies that are too long or cannot be read. An error never allows a text.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  BrokenCircuitError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhenResult,
} from "cockatiel";
import type { Log } from "../../base/log.ts";
import { readBounded } from "../../base/net/bounded-body.ts";
import { type ConnectionState, ConnectionWatch } from "../../base/net/connection-state.ts";
import type { ReflexState } from "../../engine/ports/gate/goal-check.ts";
import { type ReflexVerdict, readAnswer } from "./answer.ts";

/** What is sent. */
export interface ReflexRequest {
  readonly text: string;
  readonly userId: string;
  readonly context: { readonly [key: string]: unknown };
}

/** A running client. */
export interface Reflex {
  /** As the latest contact has shown it. */
  readonly state: Exclude<ReflexState, "disabled">;
  /** The same, for metrics. */
  readonly connection: ConnectionState;
  /** Judges a text. Never rejects, unless `signal` aborts. */
  process(request: ReflexRequest, signal: AbortSignal): Promise<ReflexVerdict>;
  /** Ends the look at its health. */
  stop(): void;
}

/** How the client calls. Durations in milliseconds. */
export interface ReflexOptions {
  readonly url: string;
  readonly log: Log;
  readonly tryMs?: number;
  readonly callMs?: number;
  /** Pause between looks at `GET /health` while nobody calls. */
  readonly lookMs?: number;
}

/** Most tries of a call, and the pause before the second one; it doubles. */
const [MAX_TRIES, PAUSE_MS] = [3, 100];

/** Consecutive failed calls that open the breaker, how long it stays open, and the probes that close it. */
const [FAILURES, OPEN_MS, PROBES] = [5, 60_000, 3];

/** Most calls at once: a map over thousands of items must not be what keeps Reflex from answering. */
const MAX_AT_ONCE = 64;

/** What says of a text that it is too large: no other try is answered otherwise. */
const TOO_LARGE = 413;
const REFUSED: ReflexVerdict = {
  is: "blocked",
  rule: "reflex.size",
  reason: "input is too large for the Reflex layer",
};

/** What an answer to one text has, and says nothing about others. */
const OF_TEXT: ReadonlySet<number> = new Set([400, 422]);

/** Largest answer, bytes. */
const MAX_BYTES = 1_024 * 1_024;

/** What came of one try; `again`: another one may do better. */
type Tried = { readonly verdict: ReflexVerdict; readonly again: boolean };

/** Creates the client. Its health is looked at from now on. */
export function openReflex(options: ReflexOptions): Reflex {
  const { log, tryMs = 2_000, callMs = 5_000, lookMs = 15_000 } = options;
  const url = options.url.replace(/(?<!\/)\/+$/, "");
  // Otherwise, one caller with five texts that Reflex does not take would shut out all others.
  const faults = handleWhenResult((result) => {
    const verdict = result as ReflexVerdict;
    return verdict.is === "error" && verdict.ofText !== true;
  });
  const breaker = circuitBreaker(faults, {
    breaker: new ConsecutiveBreaker(FAILURES),
    halfOpenAfter: OPEN_MS,
    halfOpenSampling: { calls: PROBES, threshold: 0 },
  });
  const line = bulkhead(MAX_AT_ONCE, Number.POSITIVE_INFINITY);
  breaker.onStateChange((state) => log.info("the breaker of Reflex changed state", { state: CircuitState[state] }));
  const stopping = new AbortController();
  const watch = new ConnectionWatch(({ connected, problem }) => {
    if (connected) log.info("Reflex answers");
    else log.warn("Reflex cannot be asked", { reason: problem });
  });
  const note = (problem: string): void => {
    if (problem === "") watch.up();
    else watch.down(problem);
  };

  const tryOnce = async (body: string, signal: AbortSignal): Promise<Tried> => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(tryMs)]);
    try {
      const response = await fetch(`${url}/process`, {
        ...{ method: "POST", body, signal: limit, redirect: "manual" },
        headers: { "content-type": "application/json", accept: "application/json" },
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        if (response.status === TOO_LARGE) return { verdict: REFUSED, again: false };
        const verdict = toError(`it answered ${response.status}`);
        const ofText = OF_TEXT.has(response.status);
        return { verdict: ofText ? { ...verdict, ofText } : verdict, again: response.status >= 500 };
      }
      const text = await readBounded(response, MAX_BYTES);
      return { verdict: text === null ? toError("its answer is too long") : readAnswer(text), again: false };
    } catch (error) {
      return { verdict: toError(limit.aborted ? "it did not answer in time" : reasonOf(error)), again: true };
    }
  };

  const call = async (body: string, signal: AbortSignal, limit: AbortSignal): Promise<ReflexVerdict> => {
    for (let number = 1; ; number++) {
      const { verdict, again } = await tryOnce(body, limit);
      // A caller that left says nothing about Reflex.
      signal.throwIfAborted();
      if (!again || number === MAX_TRIES || limit.aborted) {
        note(verdict.is === "error" ? verdict.problem : "");
        return verdict;
      }
      await sleep(PAUSE_MS * 2 ** (number - 1), undefined, { signal: limit }).catch(() => {}); // the time is up
      signal.throwIfAborted();
      if (limit.aborted) return verdict;
    }
  };

  const look = async (): Promise<void> => {
    try {
      const limit = AbortSignal.any([stopping.signal, AbortSignal.timeout(tryMs)]);
      const response = await fetch(`${url}/health`, { signal: limit, redirect: "manual" });
      await response.body?.cancel();
      note(response.status < 500 ? "" : `it answered ${response.status}`);
    } catch (error) {
      if (!stopping.signal.aborted) note(reasonOf(error));
    }
  };
  void look();
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();

  return {
    get state() {
      return watch.state.connected && breaker.state !== CircuitState.Open ? "available" : "unavailable";
    },
    get connection() {
      return watch.state;
    },
    async process({ text, userId, context }, signal) {
      signal.throwIfAborted();
      const body = JSON.stringify({ text, user_id: userId, context });
      const limit = AbortSignal.any([signal, AbortSignal.timeout(callMs)]);
      const over = Promise.withResolvers<ReflexVerdict>();
      limit.addEventListener("abort", () => over.resolve(toError("it did not answer in time")), { once: true });
      try {
        // A call that comes during the probes waits inside the breaker, which knows neither its time nor its signal.
        const made = line.execute(() =>
          limit.aborted ? over.promise : breaker.execute(() => call(body, signal, limit)),
        );
        const verdict = await Promise.race([made, over.promise]);
        signal.throwIfAborted();
        return verdict;
      } catch (error) {
        if (error instanceof BrokenCircuitError)
          return toError("calls keep failing; the next one is made within a minute");
        throw error;
      }
    },
    stop() {
      clearInterval(timer);
      stopping.abort();
    },
  };
}

function toError(problem: string): Extract<ReflexVerdict, { readonly is: "error" }> {
  return { is: "error", problem };
}

/** Why a request failed, without addresses of other systems in it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "it cannot be reached";
  if (error.name === "TimeoutError" || error.name === "AbortError") return "it did not answer in time";
  const { code } = (error.cause ?? error) as NodeJS.ErrnoException;
  return `it cannot be reached${code === undefined ? "" : ` (${code})`}`;
}
