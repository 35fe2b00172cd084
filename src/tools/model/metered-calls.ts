/**
 * The calls of one attempt. Each one is numbered, and passes the meter before and after it is made:
 *
 *   reserve → key → call → settle
 *
 * What a call ended with is kept if the attempt goes on after it, with a repair or another model: if the attempt begins
 * again, because a budget was used up or its instance was lost, that call is not made again.
 */
import { createHash } from "node:crypto";
import type { Json } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import type { Log } from "../../base/log.ts";
import { isHeaderValue } from "../../base/net/header-rules.ts";
import type { Secrets } from "../../base/secrets/secrets.ts";
import type { Clock } from "../../base/time/clock.ts";
import type { AnswerCache } from "../../engine/ports/models/answer-cache.ts";
import type { MeteredCall, ModelMeter, ModelUsage } from "../../engine/ports/models/meter.ts";
import type { TargetRules } from "../../engine/ports/routing/tool-overrides.ts";
import type { ToolCall } from "../../engine/ports/tools.ts";
import { abortedOutcome, type FailedOutcome } from "../outcome.ts";
import { stoppedOutcome } from "../stopped.ts";
import { plainPath } from "../target.ts";
import { failureOf, type ModelFailure, modelFailure } from "./failures.ts";
import type { JsonForm } from "./json-answer.ts";
import type { ModelProcess } from "./process/model-process.ts";
import type { ChatEnd, ChatMessage } from "./process/protocol.ts";
import type { ModelTarget } from "./providers.ts";
import { chargeOf, sizeOf } from "./usage.ts";

/** What calls are counted in. */
export interface ModelMetrics {
  /** A call ended: `ok` or the type of its error. */
  called(provider: string, model: string, result: string): void;
  /** A task looked for its answer in the cache. */
  looked(hit: boolean): void;
  /** An attempt is made again after its instance was lost: a call may have been made twice. */
  repeated(): void;
}

/** What calls need. */
export interface CallParts {
  readonly process: Pick<ModelProcess, "chat">;
  readonly meter: ModelMeter;
  readonly secrets: Pick<Secrets, "resolve" | "redact">;
  readonly metrics: ModelMetrics;
  /** What operators say about models. */
  readonly rules: Pick<TargetRules, "findStopped">;
  readonly cache: AnswerCache;
  readonly log: Log;
  readonly clock: Clock;
}

/** How a call ended: with text, by a failure of the model, or by one that ends the attempt. */
export type CallEnd =
  | { readonly kind: "answer"; readonly text: string; readonly finishReason: string | null }
  | ({ readonly kind: "failed" } & ModelFailure)
  | { readonly kind: "ended"; readonly outcome: FailedOutcome };

/** What the calls of an attempt used together. */
export interface UsedSoFar {
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Null: a call had no price. */
  readonly costMicros: number | null;
  readonly estimated: boolean;
}

/** Before the first call. */
export const NOTHING_USED: UsedSoFar = { calls: 0, inputTokens: 0, outputTokens: 0, costMicros: 0, estimated: false };

/** How long the end of a call is kept with which an attempt has not ended, milliseconds: a raise may be late. */
const KEEP_MS = 30 * 86_400_000;

/** The end of a call with what it was charged, under the key of the call. */
interface Given {
  readonly key: string;
  readonly text: string;
  readonly finishReason: string | null;
  readonly charge: ModelUsage;
  /** Null: it is an answer. */
  readonly failure: ModelFailure | null;
}

/** Longest answer, characters: what a task may return. */
const MAX_TEXT_LENGTH = 2_097_152;

/** Makes the calls of an attempt, one after the other. */
export class MeteredCalls {
  readonly #parts: CallParts;
  readonly #call: ToolCall;
  readonly #signal: AbortSignal;
  readonly #mayGoOn: boolean;
  #used: UsedSoFar = NOTHING_USED;
  #last: Given | null = null;
  /** How the last call that was made ended: empty, or the type of its error. Null: none was made. */
  #lastEnd: string | null = null;

  /** `mayGoOn`: the attempt may make more than one call. */
  constructor(parts: CallParts, call: ToolCall, signal: AbortSignal, mayGoOn: boolean) {
    this.#parts = parts;
    this.#call = call;
    this.#signal = signal;
    this.#mayGoOn = mayGoOn;
  }

  get used(): UsedSoFar {
    return this.#used;
  }

  /** Asks a model. Errors: SECRET_NOT_FOUND, and those of the meter. */
  async ask(
    target: ModelTarget,
    messages: readonly ChatMessage[],
    form: JsonForm | null,
    temperature: number | null,
  ): Promise<CallEnd> {
    const { meter, secrets, metrics, clock } = this.#parts;
    const { provider, model, facts, maxTokens } = target;
    const stopped = this.#findStopped(target);
    if (stopped !== null) return { kind: "ended", outcome: stopped };
    const key = this.#mayGoOn ? this.#keyOf(target, messages, form, temperature) : null;
    const given = key === null ? null : await this.#find(key);
    if (given !== null) {
      this.#add(given.charge);
      return toEnd(given);
    }
    const apiKey = provider.apiKey === null ? null : await secrets.resolve(provider.apiKey);
    if (apiKey !== null && !isHeaderValue(apiKey)) {
      const message = `the key ${provider.apiKey} holds characters that headers cannot carry; replace the secret`;
      return { kind: "failed", ...modelFailure("MODEL_UNAUTHORIZED", message, target, { noEffect: true }) };
    }
    const reserve = this.#reserveFor(target, messages, form);
    const reserved = await meter.reserve(reserve, this.#signal);
    if (!reserved.ok) return { kind: "ended", outcome: reserved.outcome };
    this.#beginSpan(target, temperature);
    const end = await this.#send({
      ...{ kind: provider.kind, baseUrl: provider.baseUrl, apiKey, model, messages, maxTokens, temperature },
      ...{ json: form, idempotencyKey: reserve.callKey, timeoutMs: provider.timeoutMs },
      maxTextLength: MAX_TEXT_LENGTH,
    });
    const charge = chargeOf(end, reserve, facts);
    this.#add(charge);
    await reserved.settle(charge);
    const failure = failureOf(end, target, clock.now());
    metrics.called(provider.name, model, failure?.type ?? "ok");
    this.#lastEnd = failure?.type ?? "";
    this.#call.describe?.(spanNameOf(target), {
      "gen_ai.usage.input_tokens": charge.inputTokens,
      "gen_ai.usage.output_tokens": charge.outputTokens,
    });
    if (this.#signal.aborted) return { kind: "ended", outcome: abortedOutcome(this.#signal) };
    const { finishReason } = end;
    const text = failure === null ? end.text : "";
    this.#last = key === null ? null : { key, text, finishReason, charge, failure };
    return toEnd({ text, finishReason, failure });
  }

  /** Each call has a span of its own, by the conventions for generative AI. It tells no text. */
  #beginSpan(target: ModelTarget, temperature: number | null): void {
    const { provider, model, maxTokens } = target;
    const url = URL.parse(provider.baseUrl);
    if (this.#lastEnd !== null) this.#call.another?.(this.#lastEnd);
    this.#call.describe?.(spanNameOf(target), {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": provider.kind,
      "gen_ai.request.model": model,
      "gen_ai.request.max_tokens": maxTokens,
      "gen_ai.request.temperature": temperature ?? undefined,
      "server.address": url?.hostname,
      "server.port": url === null ? undefined : Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    });
  }

  /** The attempt goes on with another call: the last one is not paid for again. */
  async keepLast(): Promise<void> {
    const { cache, log } = this.#parts;
    const { tenantId, runId } = this.#call;
    if (this.#last === null) return;
    const { key, text, finishReason, charge, failure } = this.#last;
    try {
      const content = { text, charge: { ...charge }, failure } as unknown as Json;
      await cache.keep(tenantId, key, { content, finishReason }, KEEP_MS);
    } catch (error) {
      log.warn("the end of a call could not be kept; its call may be paid for again", { runId, error });
    }
  }

  async #find(key: string): Promise<Given | null> {
    const { cache, log } = this.#parts;
    const { tenantId, runId } = this.#call;
    try {
      const kept = await cache.find(tenantId, key);
      if (kept === null) return null;
      const { text, charge, failure = null } = kept.content as unknown as Pick<Given, "text" | "charge" | "failure">;
      return { key, text, charge, failure, finishReason: kept.finishReason };
    } catch (error) {
      log.warn("calls of an attempt cannot be read; its calls may be paid for again", { runId, error });
      return null;
    }
  }

  /** Of one call of one attempt: a retry asks anew. */
  #keyOf(
    { provider, model, maxTokens }: ModelTarget,
    messages: readonly ChatMessage[],
    form: JsonForm | null,
    temperature: number | null,
  ) {
    const { idempotencyKey, attempt } = this.#call;
    const call = { idempotencyKey, attempt, number: this.#used.calls + 1 };
    const asked = { ...call, provider: provider.name, model, maxTokens, messages, form, temperature };
    return createHash("sha256")
      .update(canonicalJson(asked as unknown as Json))
      .digest("hex");
  }

  #findStopped({ provider, model }: ModelTarget): FailedOutcome | null {
    const { rules, clock } = this.#parts;
    const { tenantId, flowId, path, waitedMs } = this.#call;
    const name = `${provider.name}/${model}`;
    const override = rules.findStopped(name, { tenantId, flowId, task: plainPath(path) });
    return override === null ? null : stoppedOutcome(`calls of model ${name}`, override, waitedMs, clock.now());
  }

  #reserveFor(target: ModelTarget, messages: readonly ChatMessage[], form: JsonForm | null): MeteredCall {
    const { tenantId, runId, flowId, userId, budgets, path, attempt, idempotencyKey } = this.#call;
    return {
      ...{ tenantId, runId, flowId, userId, budgets, path, attempt },
      callKey: `${idempotencyKey}/call ${this.#used.calls + 1}`,
      number: this.#used.calls + 1,
      ...sizeOf(target, messages, form),
      tokensPerMinute: target.facts.tokensPerMinute,
    };
  }

  /** Texts of providers may hold what they were sent: no key of this service passes. */
  async #send(call: Parameters<ModelProcess["chat"]>[0]): Promise<ChatEnd> {
    const { process, secrets } = this.#parts;
    const { tell, heartbeat } = this.#call;
    const end = await process.chat(call, this.#signal, (text) => {
      heartbeat?.();
      tell?.({ type: "token", text: secrets.redact(shown(text)) });
    });
    const { text, error } = end;
    return {
      ...end,
      text: secrets.redact(text),
      error: error === null ? null : { ...error, message: secrets.redact(error.message) },
    };
  }

  #add({ inputTokens, outputTokens, costMicros, basis }: ModelUsage): void {
    const before = this.#used;
    this.#used = {
      calls: before.calls + 1,
      inputTokens: before.inputTokens + inputTokens,
      outputTokens: before.outputTokens + outputTokens,
      costMicros: before.costMicros === null || costMicros === null ? null : before.costMicros + costMicros,
      estimated: before.estimated || basis !== "reported",
    };
  }
}

function spanNameOf({ model }: ModelTarget): string {
  return `chat ${model}`;
}

/** What an answer has that no text may hold is shown as what it is: unreadable. */
function shown(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

function toEnd({ text, finishReason, failure }: Pick<Given, "text" | "finishReason" | "failure">): CallEnd {
  return failure === null ? { kind: "answer", text, finishReason } : { kind: "failed", ...failure };
}
