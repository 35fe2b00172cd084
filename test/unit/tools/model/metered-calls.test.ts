import { expect, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { createSecrets } from "../../../../src/base/secrets/secrets.ts";
import { systemClock } from "../../../../src/base/time/clock.ts";
import type { ModelUsage } from "../../../../src/engine/ports/models/meter.ts";
import { MeteredCalls } from "../../../../src/tools/model/metered-calls.ts";
import type { ChatEnd } from "../../../../src/tools/model/process/protocol.ts";
import { type ModelProvider, type ModelTarget, targetsOf } from "../../../../src/tools/model/providers.ts";
import { aCall } from "../a-call.ts";

const PROVIDER: ModelProvider = {
  ...{ name: "open", kind: "openai", baseUrl: "http://127.0.0.1:9/v1", apiKey: "secret://open-key", timeoutMs: 1_000 },
  models: new Map([
    [
      "small",
      {
        ...{ inputPriceMicros: 1_000_000, outputPriceMicros: 2_000_000, cachedInputPriceMicros: null },
        ...{ maxOutputTokens: 100, tokensPerMinute: 500 },
      },
    ],
  ]),
};

const targetOf = (model: string): ModelTarget => {
  const targets = targetsOf({ model }, { known: new Map([["open", PROVIDER]]), standard: "open" });
  if (typeof targets === "string" || targets[0] === undefined) throw new Error(String(targets));
  return targets[0];
};

/** Asks once, with a key, a provider that ends the call so. */
async function ask(key: string, end: Partial<ChatEnd> = {}) {
  const seen = { made: 0, reserved: 0, shown: "", charges: [] as ModelUsage[] };
  const call = aCall("ai", {}, { tell: (told) => void (seen.shown += told.type === "token" ? told.text : "") });
  const calls = new MeteredCalls(
    {
      process: {
        chat: async (_, __, onText) => {
          seen.made += 1;
          const usage = { inputTokens: 3, outputTokens: 4, cachedInputTokens: 0 };
          const whole: ChatEnd = { text: "hi", usage, finishReason: "stop", error: null, reached: "open", ...end };
          onText(whole.text);
          return whole;
        },
      },
      meter: {
        reserve: async () => {
          seen.reserved += 1;
          return { ok: true, settle: async (usage) => void seen.charges.push(usage) };
        },
      },
      secrets: createSecrets({ variable: () => key }),
      metrics: { called: () => {}, looked: () => {}, repeated: () => {} },
      rules: { findStopped: () => null },
      cache: { find: async () => null, keep: async () => {} },
      ...{ log: silentLog, clock: systemClock },
    },
    call,
    new AbortController().signal,
    true,
  );
  const answer = await calls.ask(targetOf("small"), [{ role: "user", content: "hi" }], null, null);
  return { answer, ...seen };
}

// Cause: a key that no header carries was tried three times, and charged each time with the whole reserve.
test.each(["k\u20acy-of-mine-4711", "first\rsecond-4711", "nul\0nul-4711"])(
  "a key that cannot be sent is refused before anything is reserved: %j",
  async (key) => {
    const { answer, made, reserved } = await ask(key);
    expect(answer).toMatchObject({
      kind: "failed",
      type: "MODEL_UNAUTHORIZED",
      outcome: { error: { retryable: false, noEffect: true, message: expect.stringContaining("secret://open-key") } },
    });
    expect(JSON.stringify(answer)).not.toContain("4711");
    expect([made, reserved]).toEqual([0, 0]);
  },
);

// Cause: NUL and half of a surrogate pair got into outputs.
test.each(["a\0b", "a\ud83d", "\ude00b"])("an answer that no text may hold is unreadable: %j", async (text) => {
  const { answer, charges, shown } = await ask("a-key-that-is-fine", { text });
  expect(answer).toMatchObject({ kind: "failed", type: "ANSWER_UNREADABLE", outcome: { error: { retryable: true } } });
  expect(charges).toMatchObject([{ inputTokens: 3, outputTokens: 4, basis: "reported" }]);
  expect(shown).toMatch(/\ufffd/);
  expect(shown).not.toContain("\0");
});

test("a call of which nothing was sent costs nothing, and one that is answered what is reported", async () => {
  const error = { type: "CONNECT_FAILED", message: "nobody", retryAfter: "" } as const;
  const unsent = await ask("a-key-that-is-fine", { error, usage: null, text: "", reached: "unsent" });
  expect(unsent.charges).toMatchObject([{ costMicros: 0 }]);
  const { answer, charges } = await ask("a-key-that-is-fine", { text: "\ud83d\ude00" });
  expect(answer).toMatchObject({ kind: "answer", text: "\ud83d\ude00" });
  expect(charges).toMatchObject([{ costMicros: 11 }]);
});

test("what is known of a model holds for each spelling of its name", () => {
  expect(targetOf("./SMALL")).toMatchObject({ model: "small", facts: { tokensPerMinute: 500 }, maxTokens: 100 });
});
