import { expect, test } from "vitest";
import type { Json, JsonObject } from "../../../../src/base/json/json.ts";
import { readAnswer } from "../../../../src/tools/model/json-answer.ts";
import type { ChatEnd } from "../../../../src/tools/model/process/protocol.ts";
import { toChatError } from "../../../../src/tools/model/process/provider-error.ts";
import { chargeOf, estimateInput } from "../../../../src/tools/model/usage.ts";

const FACTS = {
  inputPriceMicros: 3_000_000,
  outputPriceMicros: 15_000_000,
  cachedInputPriceMicros: 300_000,
  tokensPerMinute: null,
  maxOutputTokens: 1_000,
};
const RESERVE = { inputTokens: 100, maxOutputTokens: 1_000 };
const ANSWER: ChatEnd = {
  text: "twelve chars",
  usage: { inputTokens: 90, outputTokens: 10, cachedInputTokens: 0 },
  finishReason: "stop",
  error: null,
  reached: "open",
};
const CUT = { type: "STREAM_CUT", message: "", retryAfter: "" } as const;
const LOST = { ...CUT, type: "MODEL_PROCESS_LOST" } as const;

test.each<[string, Partial<ChatEnd>, object]>([
  ["the report of the provider", {}, { inputTokens: 90, outputTokens: 10, costMicros: 420, basis: "reported" }],
  [
    "its cached input at its price",
    { usage: { inputTokens: 90, outputTokens: 10, cachedInputTokens: 80 } },
    { costMicros: 204 },
  ],
  [
    "the whole reserve without a report",
    { usage: null },
    { inputTokens: 100, outputTokens: 1_000, basis: "estimated" },
  ],
  [
    "nothing if the provider refused",
    { reached: "refused", error: CUT, usage: null },
    { inputTokens: 0, outputTokens: 0, costMicros: 0, basis: "reported" },
  ],
  ["nothing if it got nothing", { reached: "unsent", error: CUT, usage: null }, { costMicros: 0 }],
  [
    "input and text of an answer that was cut",
    { error: CUT, usage: null },
    { inputTokens: 100, outputTokens: 4, basis: "estimated" },
  ],
  ["at least what was reported of it", { error: CUT }, { inputTokens: 90, outputTokens: 10, basis: "estimated" }],
  [
    "the text if more came than was reported",
    { error: CUT, usage: { inputTokens: 90, outputTokens: 1, cachedInputTokens: 0 } },
    { outputTokens: 4 },
  ],
  ["the whole reserve if nobody knows", { error: LOST, usage: null }, { outputTokens: 1_000, basis: "unknown" }],
  [
    "the same if the connection was lost in silence",
    { error: CUT, text: "", usage: null },
    { outputTokens: 1_000, basis: "unknown" },
  ],
])("a call is charged %s", (_, end, charge) => {
  expect(chargeOf({ ...ANSWER, ...end }, RESERVE, FACTS)).toMatchObject(charge);
});

test("without a price there is no cost, and every text has tokens", () => {
  expect(chargeOf(ANSWER, RESERVE, { ...FACTS, inputPriceMicros: null }).costMicros).toBeNull();
  const message = { role: "user", content: "" } as const;
  expect(estimateInput([message], "")).toBeGreaterThan(0);
  expect(estimateInput([{ ...message, content: "日本語" }], "")).toBe(estimateInput([message], "") + 3);
});

const integer = (schema: JsonObject, value: Json): readonly string[] =>
  Number.isInteger(value) ? [] : [`expected ${JSON.stringify(schema)}`];

test.each<[string, object]>([
  ["7", { ok: true, value: 7 }],
  [" ```json\n7\n``` \n", { ok: true, value: 7 }],
  ["```\n7```", { ok: true, value: 7 }],
  ['"7"', { ok: false, problems: ['expected {"type":"integer"}'] }],
  ["seven", { ok: false, problems: [expect.stringMatching(/^the answer/)] }],
  ["", { ok: false }],
  ['{"__proto__": 1}', { ok: false }],
])("an answer that has to be JSON: %j", (text, read) => {
  expect(readAnswer(text, { schema: { type: "integer" } }, integer)).toMatchObject(read);
});

const SEEN = { isSent: true, status: null, retryAfter: "", tooLong: false, ended: null };
const coded = (code: string): Error =>
  new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });

test.each<[string, unknown, object, string]>([
  ["nobody listens", coded("ECONNREFUSED"), {}, "CONNECT_FAILED"],
  ["the name is unknown", coded("ENOTFOUND"), {}, "CONNECT_FAILED"],
  ["a certificate is wrong", coded("SELF_SIGNED_CERT_IN_CHAIN"), {}, "CONNECT_FAILED"],
  ["the connection ends", coded("ECONNRESET"), {}, "CONNECTION_LOST"],
  ["the connection ends in the answer", coded("UND_ERR_SOCKET"), { status: 200 }, "STREAM_CUT"],
  ["an event is no JSON", new SyntaxError("Unexpected token"), { status: 200 }, "ANSWER_UNREADABLE"],
  [
    "the stream says that it is overloaded",
    { error: { error: { type: "overloaded_error" } } },
    { status: 200 },
    "MODEL_OVERLOADED",
  ],
  ["the stream says that something failed", { error: { message: "boom" } }, { status: 200 }, "MODEL_FAILED"],
  [
    "the prompt is too long",
    { error: { message: "prompt is too long: 9 tokens > 8" } },
    { status: 400 },
    "CONTEXT_TOO_LONG",
  ],
  [
    "nothing is left to pay with",
    { error: { message: "Your credit balance is too low" } },
    { status: 400 },
    "MODEL_QUOTA_EXCEEDED",
  ],
  ["the server is odd", null, { status: 418 }, "MODEL_REQUEST_INVALID"],
  ["the time is over", new Error("aborted"), { ended: "timeout" }, "TIMEOUT"],
  ["the text is endless", new Error("aborted"), { status: 200, tooLong: true }, "ANSWER_TOO_LARGE"],
])("an error has one name: %s", (_, error, seen, type) => {
  expect(toChatError(error, { ...SEEN, ...seen })).toMatchObject({ type, message: expect.stringMatching(/./) });
});
