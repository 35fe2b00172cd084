/**
 * The desk of an agent: takes requests, does them within its limits, and gives each exactly one answer.
 *
 *   arrives ──known and answered──→ the same answer again
 *           ──known and at work───→ nothing; the answer comes once
 *           ──canceled before─────→ CANCELED
 *           ──does not fit────────→ REQUEST_INVALID
 *           ──all slots taken─────→ waits, or AGENT_BUSY when too many wait
 *   works   ──handler ends, times out, or is canceled──→ the answer is delivered, and then remembered
 *
 * A slot is free again when the handler has ended and the answer is with Redis.
 */
import type { Json, JsonObject } from "./json.ts";
import {
  AgentError,
  type AgentProblem,
  type AgentRequest,
  type AgentResponse,
  type Check,
  checkValues,
  encodeAnswer,
  MAX_TIMEOUT_SECONDS,
  readCorrelationId,
  toFailure,
} from "./messages.ts";

/** What a handler knows of its work beside the parameters. */
export interface Work {
  readonly request: AgentRequest;
  /** Aborted on timeout, cancel, and stop, with an {@link AgentError}. */
  readonly signal: AbortSignal;
}

/** Does a task. Throws {@link AgentError} for failures that the answer names. */
export type Handle = (parameters: JsonObject, work: Work) => Promise<Json>;

/** A request as a channel brought it. */
export interface Delivery {
  readonly text: string;
  /** How often it was given out, this time included. */
  readonly deliveries: number;
  /** Delivers an answer (null: there is none) and forgets the request. Retries until Redis has it. */
  settle(answer: string | null): Promise<void>;
  /** Whether the work is ours. Others that got the same message are told no. */
  claim?(correlationId: string, timeoutSeconds: number | null): Promise<boolean>;
}

export type Log = (level: "info" | "warn" | "error", message: string, fields?: JsonObject) => void;

export interface DeskOptions {
  readonly handle: Handle;
  readonly checkRequest: Check;
  readonly checkParameters: Check;
  readonly log: Log;
  readonly concurrency: number;
  /** How many may wait for a slot. */
  readonly maxWaiting: number;
  readonly maxAnswerBytes: number;
}

/** How many answers and cancels are remembered, and how long, milliseconds. */
const REMEMBERED = 1_000;
const REMEMBERED_BYTES = 32 * 1024 * 1024;
const REMEMBERED_MS = 600_000;
/** A request that was given out more often kills its agents. */
const MAX_DELIVERIES = 3;

interface Waiting {
  readonly request: AgentRequest;
  readonly delivery: Delivery;
  /** When it came, by `performance.now()`. */
  readonly at: number;
}

interface Running {
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

export class Desk {
  readonly #options: DeskOptions;
  readonly #waiting: Waiting[] = [];
  readonly #running = new Map<string, Running>();
  readonly #answers = new Map<string, { readonly text: string; readonly at: number }>();
  readonly #canceled = new Map<string, { readonly reason: string; readonly at: number }>();
  #answerBytes = 0;
  #slots: (() => void)[] = [];
  #isStopping = false;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Slots that are neither working nor promised to a waiting request. */
  get free(): number {
    return this.#isStopping ? 0 : this.#options.concurrency - this.#running.size - this.#waiting.length;
  }

  /** Resolves when a slot is free, or the desk stops. */
  async waitForSlot(): Promise<void> {
    while (this.free <= 0 && !this.#isStopping) await new Promise<void>((resolve) => this.#slots.push(resolve));
  }

  /** Takes a request. Never throws. */
  accept(delivery: Delivery): void {
    const answer = this.#decide(delivery);
    if (answer !== undefined) this.#settle(delivery, answer);
  }

  /** Takes the work of a request, or returns what is answered at once; null: nothing. */
  #decide(delivery: Delivery): string | null | undefined {
    const named = readCorrelationId(delivery.text);
    if (named === null) {
      this.#options.log("warn", "a message without a correlation id is ignored", { bytes: delivery.text.length });
      return null;
    }
    const { id, value } = named;
    const running = this.#running.get(id);
    // A sender that sent it twice gets one answer; a stream wants the second entry acknowledged as well.
    if (running !== undefined) {
      void running.ended.then(() => this.#settle(delivery, null));
      return undefined;
    }
    if (this.#waiting.some((each) => each.request.correlation_id === id)) return null;
    const answer = this.#recall(id);
    if (answer !== null) return answer;
    try {
      if (delivery.deliveries > MAX_DELIVERIES)
        throw new AgentError(
          "AGENT_CRASHED",
          `${delivery.deliveries - 1} agents took this task and gave no answer; it is not tried again`,
        );
      checkValues(value);
      this.#options.checkRequest(value);
      const request = boundTimeout(value as unknown as AgentRequest);
      this.#options.checkParameters(request.parameters);
      const canceled = this.#canceled.get(id);
      if (canceled !== undefined) throw new AgentError("CANCELED", canceled.reason);
      if (this.#isStopping) throw stopping();
      const work = { request, delivery, at: performance.now() };
      if (this.#running.size < this.#options.concurrency) this.#begin(work);
      else if (this.#waiting.length < this.#options.maxWaiting) this.#waiting.push(work);
      else
        throw new AgentError("AGENT_BUSY", `${this.#waiting.length} tasks wait already`, {
          retryable: true,
          nextRetryDelaySeconds: 1,
        });
    } catch (error) {
      return this.#encodeFailure(id, error);
    }
    return undefined;
  }

  /** Stops the work for a correlation id, now or when it comes. */
  cancel(correlationId: string, reason: string): void {
    this.#canceled.set(correlationId, { reason, at: Date.now() });
    forgetOld(this.#canceled);
    const error = new AgentError("CANCELED", reason);
    this.#running.get(correlationId)?.controller.abort(error);
    const index = this.#waiting.findIndex(({ request }) => request.correlation_id === correlationId);
    const [waiting] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (waiting !== undefined) this.#settle(waiting.delivery, this.#encodeFailure(correlationId, error));
  }

  /** Ends what waits, gives what works `graceMs` to end, then aborts it. Resolves when every answer is delivered. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#wake();
    for (const { request, delivery } of this.#waiting.splice(0))
      this.#settle(delivery, this.#encodeFailure(request.correlation_id, stopping()));
    const timer = setTimeout(() => {
      for (const { controller } of this.#running.values()) controller.abort(stopping());
    }, graceMs);
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    clearTimeout(timer);
    await Promise.all(this.#settling);
  }

  #begin(work: Waiting): void {
    const controller = new AbortController();
    const id = work.request.correlation_id;
    const working = this.#work(work, controller).catch((error: unknown) => this.#lose(error));
    const ended = working.finally(() => {
      this.#running.delete(id);
      const next = this.#isStopping ? undefined : this.#waiting.shift();
      if (next !== undefined) this.#begin(next);
      this.#wake();
    });
    this.#running.set(id, { controller, ended });
  }

  async #work({ request, delivery, at }: Waiting, controller: AbortController): Promise<void> {
    const { correlation_id: id, parameters } = request;
    const timeout = request.timeout ?? null;
    if (delivery.claim !== undefined && !(await delivery.claim(id, timeout))) return;
    const { log } = this.#options;
    const about = { correlation_id: id, execution_id: request.execution_id, task_id: request.task_id };
    log("info", "task begins", about);
    const began = performance.now();
    const late = new AgentError("TIMEOUT", `the task did not end within ${timeout} s`, { retryable: true });
    // The time of waiting for a slot counts.
    const leftMs = timeout === null ? null : timeout * 1000 - (began - at);
    const timer = leftMs === null ? undefined : setTimeout(() => controller.abort(late), Math.max(leftMs, 0));
    const { signal } = controller;
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    // It counts only while it races; later nobody waits for it.
    aborted.catch(() => {});
    const handling =
      leftMs !== null && leftMs <= 0 ? Promise.reject(late) : this.#options.handle(parameters, { request, signal });
    let response: AgentResponse;
    try {
      const output = await Promise.race([handling, aborted]);
      response = { correlation_id: id, status: "completed", output, error: null, progress: 1 };
    } catch (error) {
      response = toFailure(id, { problem: this.#toProblem(error) });
    }
    clearTimeout(timer);
    const { text, error } = encodeAnswer(response, this.#options.maxAnswerBytes);
    log("info", "task ends", {
      ...about,
      status: error === null ? "completed" : "failed",
      error: error?.type,
      ms: Math.round(performance.now() - began),
    });
    await delivery.settle(text);
    this.#remember(id, text);
    // A handler that ignores its signal keeps the slot: its work still costs what work costs. Its end was answered.
    await handling.catch(() => {});
  }

  #encodeFailure(id: string, error: unknown): string {
    return encodeAnswer(toFailure(id, { problem: this.#toProblem(error) }), this.#options.maxAnswerBytes).text;
  }

  #toProblem(error: unknown): AgentProblem {
    if (error instanceof AgentError) return error.problem;
    this.#options.log("error", "the agent has a bug", { stack: error instanceof Error ? error.stack : String(error) });
    return { type: "AGENT_ERROR", message: "the agent failed; its log says why", retryable: true };
  }

  readonly #settling = new Set<Promise<void>>();

  #settle(delivery: Delivery, answer: string | null): void {
    const settling = delivery
      .settle(answer)
      .catch((error: unknown) => this.#lose(error))
      .finally(() => this.#settling.delete(settling));
    this.#settling.add(settling);
  }

  #lose(error: unknown): void {
    this.#options.log("error", "an answer is lost", { reason: String(error) });
  }

  #recall(id: string): string | null {
    const kept = this.#answers.get(id);
    return kept !== undefined && kept.at > Date.now() - REMEMBERED_MS ? kept.text : null;
  }

  #remember(id: string, text: string): void {
    this.#answers.set(id, { text, at: Date.now() });
    this.#answerBytes += text.length;
    for (const [oldest, { text: old }] of this.#answers) {
      if (this.#answers.size <= REMEMBERED && this.#answerBytes <= REMEMBERED_BYTES) break;
      this.#answers.delete(oldest);
      this.#answerBytes -= old.length;
    }
  }

  #wake(): void {
    for (const resolve of this.#slots.splice(0)) resolve();
  }
}

function stopping(): AgentError {
  return new AgentError("AGENT_STOPPING", "the agent stops; another one can do the task", {
    retryable: true,
    nextRetryDelaySeconds: 1,
  });
}

function boundTimeout(request: AgentRequest): AgentRequest {
  const { timeout = null } = request;
  return timeout === null ? request : { ...request, timeout: Math.min(timeout, MAX_TIMEOUT_SECONDS) };
}

function forgetOld(map: Map<string, { readonly at: number }>): void {
  for (const [key, { at }] of map) {
    if (map.size <= REMEMBERED && at > Date.now() - REMEMBERED_MS) break;
    map.delete(key);
  }
}
