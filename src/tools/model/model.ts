/**
 * `ai` with models: one attempt at a question.
 *
 *   asked before, and the answer is kept → it is given again
 *   made again after its instance was lost → `on_unknown` decides
 *   the first model → its answer → JSON that does not fit → the same model, a few times more
 *                   → an error that a fallback names → that model
 *                   → any other error: the attempt fails
 */
import { createHash } from "node:crypto";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { canonicalJson } from "../../base/json/json-canonical.ts";
import { isCutShort } from "../../base/net/finish-reason.ts";
import { secretNameOf } from "../../base/secrets/secret-reference.ts";
import { parseDurationMs } from "../../base/time/duration.ts";
import type { KeptAnswer } from "../../engine/ports/models/answer-cache.ts";
import type { AiParameters } from "../../engine/ports/models/questions.ts";
import type { Outcome, ToolCall } from "../../engine/ports/tools.ts";
import type { RemoteAdapter } from "../adapter.ts";
import { type FailedOutcome, failedOutcome } from "../outcome.ts";
import { conversationOf } from "./conversation.ts";
import { modelFailure } from "./failures.ts";
import { formOf, type JsonForm, readAnswer, repairOf, type SchemaCheck } from "./json-answer.ts";
import { type CallEnd, type CallParts, MeteredCalls, NOTHING_USED, type UsedSoFar } from "./metered-calls.ts";
import type { ModelProcess } from "./process/model-process.ts";
import type { ChatMessage } from "./process/protocol.ts";
import { type ModelProviders, type ModelTarget, targetsOf } from "./providers.ts";

/** What the adapter needs. */
export interface ModelAdapterOptions extends CallParts {
  readonly process: Pick<ModelProcess, "chat" | "close">;
  readonly providers: ModelProviders;
  readonly checkSchema: SchemaCheck;
}

/** How often a model may repair its answer, unless the task says otherwise. */
const DEFAULT_REPAIRS = 1;

/** Creates the adapter. */
export function createModelAdapter(options: ModelAdapterOptions): RemoteAdapter {
  const { providers, metrics } = options;
  return {
    type: "ai",
    local: false,
    placeOf: ({ input }) => {
      const targets = targetsOf(input as AiParameters, providers);
      const url = typeof targets === "string" ? "" : (targets[0]?.provider.baseUrl ?? "");
      return { service: "", origin: URL.parse(url)?.origin ?? "" };
    },
    destinationOf: ({ input }) => {
      const targets = targetsOf(input as AiParameters, providers);
      if (typeof targets === "string") return null;
      return targets.map(({ provider: { name, baseUrl, apiKey }, model }) => {
        return { provider: name, url: baseUrl, model, secret: apiKey === null ? null : secretNameOf(apiKey) };
      });
    },
    modelsOf: ({ input }) => {
      const targets = targetsOf(input as AiParameters, providers);
      return typeof targets === "string" ? [] : targets.map(({ provider, model }) => `${provider.name}/${model}`);
    },
    async run(call, signal) {
      const asked = call.input as AiParameters;
      const targets = targetsOf(asked, providers);
      const [first] = targets;
      if (typeof targets === "string" || typeof first !== "object")
        return failedOutcome("PROVIDER_NOT_FOUND", String(targets), { retryable: false, noEffect: true });
      const form = formOf(asked);
      const messages = conversationOf(asked, form);
      const key = asked.cache === undefined ? null : keyOf(first, asked, messages, form);
      const kept = key === null ? null : await find(options, call, key);
      if (kept !== null) return { ok: true, output: toOutput(kept, first, null) };
      if (call.repeats === true) metrics.repeated();
      const unknown = unknownOutcome(call, asked);
      if (unknown !== null) return unknown;
      const calls = new MeteredCalls(options, call, signal, form !== null || targets.length > 1);
      const end = await askInTurn(targets, calls, (target) => askOne(options, calls, target, asked, messages, form));
      if (end.kind !== "done") return end.outcome;
      if (key !== null && end.target === first) await keep(options, call, key, end.answer, asked);
      return { ok: true, output: toOutput(end.answer, end.target, calls.used) };
    },
    close: () => options.process.close(),
  };
}

type Answered = { readonly kind: "done"; readonly answer: KeptAnswer };
type NoAnswer = Exclude<CallEnd, { kind: "answer" }>;

/** Asks the first model, and after each failure the next one that names it. */
async function askInTurn(
  targets: readonly ModelTarget[],
  calls: MeteredCalls,
  ask: (target: ModelTarget) => Promise<Answered | NoAnswer>,
): Promise<(Answered & { readonly target: ModelTarget }) | NoAnswer> {
  let end: NoAnswer | null = null;
  for (const target of targets) {
    const isNext = end === null || (end.kind === "failed" && target.on?.includes(end.type) === true);
    if (!isNext) continue;
    if (end !== null) await calls.keepLast();
    const next = await ask(target);
    if (next.kind === "done") return { ...next, target };
    end = next;
  }
  // There is always a first one.
  return end as NoAnswer;
}

/** Asks one model, and has it repair its answer. */
async function askOne(
  { checkSchema }: ModelAdapterOptions,
  calls: MeteredCalls,
  target: ModelTarget,
  asked: AiParameters,
  messages: readonly ChatMessage[],
  form: JsonForm | null,
): Promise<Answered | NoAnswer> {
  let said = messages;
  for (let repairs = asked.repairs ?? DEFAULT_REPAIRS; ; repairs -= 1) {
    const end = await calls.ask(target, said, form, asked.temperature ?? null);
    if (end.kind !== "answer") return end;
    const { text, finishReason } = end;
    if (form === null) return { kind: "done", answer: { content: text, finishReason } };
    const read = readAnswer(text, form, checkSchema);
    if (read.ok) return { kind: "done", answer: { content: read.value, finishReason } };
    // The same limit would cut it again.
    if (isCutShort(finishReason)) {
      const message = `the answer ended after ${target.maxTokens} tokens, before its JSON did; raise max_tokens`;
      return { kind: "failed", ...modelFailure("RESPONSE_FORMAT_INVALID", message, target, { retryable: false }) };
    }
    if (repairs === 0) {
      const message = `the answer is not what response_format asks: ${read.problems.join("; ")}`;
      return { kind: "failed", ...modelFailure("RESPONSE_FORMAT_INVALID", message, target) };
    }
    await calls.keepLast();
    said = [...messages, ...repairOf(text, read.problems)];
  }
}

/** What is done about a call that an instance may have made before it was lost; null: it is made again. */
function unknownOutcome(
  { repeats, answer, fencingToken }: ToolCall,
  { on_unknown: rule = "retry" }: AiParameters,
): Outcome | null {
  if (rule === "retry") return null;
  const fail = (why: string): FailedOutcome => failedOutcome("OUTCOME_UNKNOWN", why, { retryable: false });
  if (repeats === true && rule === "fail")
    return fail("the service stopped during a call to the model; whether the call was made is unknown");
  if (repeats !== true) {
    const isRefused = answer !== null && (answer.value as JsonObject | null)?.approved !== true;
    return isRefused ? fail("the call to the model was not approved again") : null;
  }
  const title = "Repeat the call to the model? The service stopped during the call, which may be paid for twice.";
  return {
    ...fail("it is unknown whether the model was called; an approval decides"),
    suspended: { key: `unknown/${fencingToken}`, wait: { kind: "approval" }, value: { title }, timeoutMs: null },
  };
}

function toOutput(
  { content, finishReason }: KeptAnswer,
  { provider, model }: ModelTarget,
  used: UsedSoFar | null,
): Json {
  const { calls, inputTokens, outputTokens, costMicros, estimated } = used ?? NOTHING_USED;
  return {
    content,
    provider: provider.name,
    model,
    finish_reason: finishReason,
    usage: {
      input_tokens: inputTokens,
      output_tokens: outputTokens,
      cost_usd: costMicros === null ? null : costMicros / 1_000_000,
      estimated,
    },
    cached: used === null,
    calls,
  };
}

/** Everything that an answer depends on; the tenant is a column of its own. */
function keyOf(
  { provider, model, maxTokens }: ModelTarget,
  { temperature }: AiParameters,
  messages: readonly ChatMessage[],
  form: JsonForm | null,
): string {
  const asked = { provider: provider.name, model, maxTokens, temperature: temperature ?? null, messages, form };
  return createHash("sha256")
    .update(canonicalJson(asked as unknown as Json))
    .digest("hex");
}

async function find(
  { cache, metrics, log }: ModelAdapterOptions,
  { tenantId, runId }: ToolCall,
  key: string,
): Promise<KeptAnswer | null> {
  try {
    const kept = await cache.find(tenantId, key);
    metrics.looked(kept !== null);
    return kept;
  } catch (error) {
    log.warn("the cache of answers cannot be read", { runId, error });
    return null;
  }
}

async function keep(
  { cache, log }: ModelAdapterOptions,
  { tenantId, runId }: ToolCall,
  key: string,
  answer: KeptAnswer,
  { cache: rule }: AiParameters,
): Promise<void> {
  try {
    await cache.keep(tenantId, key, answer, parseDurationMs(rule?.ttl ?? 0));
  } catch (error) {
    log.warn("an answer could not be kept", { runId, error });
  }
}
