/** Answers of agents: what is taken, and what ends an attempt because it cannot be. */
import { expect, test } from "vitest";
import { readAnswer } from "../../../../src/bus/redis/agents/answers.ts";
import { AnswerRefused } from "../../../../src/bus/redis/agents/refused.ts";
import { findAgentProblems } from "../../../support/agents.ts";

const MAX_BYTES = 2_000_000;
const TOKEN = "AQEn-_token";
const read = (text: string | Uint8Array) => readAnswer("data", Buffer.from(text as string), MAX_BYTES).answer;
const readParts = (parts: object) => read(JSON.stringify({ correlation_id: TOKEN, ...parts }));
const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

test.each([
  ["a status in capitals", { status: "COMPLETED", output: 1 }],
  ["a status of success", { status: "success", output: 1 }],
  ["a success instead of a status", { success: true, output: 1 }],
  ["both, which agree", { status: "completed", success: true, output: 1 }],
  ["a result", { status: "completed", result: 1 }],
  ["data", { success: true, data: 1 }],
  ["an output and nothing else", { output: 1 }],
  ["a result and nothing else", { result: 1 }],
  ["the same twice, and null", { output: 1, result: 1, data: null }],
  ["an empty error", { success: true, output: 1, error: "" }],
  ["no error", { status: "completed", output: 1, error: null }],
])("%s: completed", (_name, parts) => {
  expect(readParts(parts).outcome).toEqual({ ok: true, output: 1 });
  expect(findAgentProblems("response", { correlation_id: TOKEN, ...parts })).toBe("");
});

test.each([
  ["a status in capitals", { status: "FAILED", error: "no" }],
  ["a status of error", { status: "error", error: "no" }],
  ["a success of false", { success: false, error: "no" }],
  ["an error and nothing else", { error: "no" }],
])("%s: failed", (_name, parts) => {
  expect(readParts(parts).outcome).toEqual({
    ok: false,
    error: { type: "AGENT_FAILED", message: "no", retryable: true },
  });
  expect(findAgentProblems("response", { correlation_id: TOKEN, ...parts })).toBe("");
});

test("a progress ends nothing, whatever comes with it", () => {
  for (const parts of [{ progress: 0.5 }, { status: "running", progress: 0.5 }, { progress: 0.5, data: [1] }])
    expect(readParts(parts)).toMatchObject({ outcome: null, note: { fraction: 0.5 } });
});

test("an output nests as deep as that of any task", () => {
  expect(read(`{"correlation_id":"${TOKEN}","output":${nested(64)}}`).outcome).toMatchObject({ ok: true });
});

const rest = (text: string): string => `{"correlation_id": "${TOKEN}", ${text}}`;

test.each<[string, string | Uint8Array, string]>([
  ["NUL", rest('"output": "a\\u0000"'), "output is not valid JSON: text holds NUL (\\u0000), which cannot be stored"],
  ["half a surrogate", rest('"result": "\\ud800"'), "result is not valid JSON: text contains half of a surrogate pair"],
  ["NUL in an error", rest('"error": "\\u0000"'), "error is not valid JSON: text holds NUL"],
  ["NUL in a progress", rest('"progress": "\\u0000"'), "progress is not valid JSON: text holds NUL"],
  ["too many levels", rest(`"output": ${nested(65)}`), "output is not valid JSON: it nests deeper than 64 levels"],
  ["far too many levels", rest(`"output": ${nested(90_000)}`), "it nests 90001 levels deep; the limit is 1000"],
  ["a key twice", rest('"output": {"a": 1, "a": 2}'), 'the key "a" appears twice in one object'],
  ["1e400", rest('"output": 1e400'), "the number 1e400 does not fit a double"],
  ["NaN", rest('"output": NaN'), '"N" is not expected at line 1, column'],
  ["an end too early", rest('"output": [1').slice(0, -1), "it ends before it is complete"],
  ["bytes that are no UTF-8", Buffer.from(rest('"output": "\xff"'), "latin1"), "it is not UTF-8"],
  ["too much", rest(`"output": "${"x".repeat(5_000_000)}"`), "bytes; the limit is 2000000"],
  ["too much before", `{"output":"${"x\\\\".repeat(1e6)}","correlation_id":"${TOKEN}"}`, "bytes; the limit is 2000000"],
  ["no status", `{"correlation_id": "${TOKEN}"}`, "status: expected completed or failed, or a progress"],
  ["another status", rest('"status": "done"'), "status: expected completed or failed, or a progress"],
  ["a status of 5", rest('"status": 5, "progress": 1'), "status: expected completed or failed, or a progress"],
  ["a success of text", rest('"success": "yes"'), "success: expected true or false"],
  ["a success with an error", rest('"success": true, "error": "no"'), "error: a completed task has none"],
  ["two words", rest('"status": "failed", "success": true'), "status and success: failed contradicts true"],
  ["two outputs", rest('"status": "completed", "output": 1, "data": 2'), "output and data: they are not the same"],
  ["an error of 5", rest('"status": "failed", "error": 5'), "error: expected text, or an object"],
  ["a type of 5", rest('"error": {"type": 5}'), "error.type: expected text"],
  ["a message of 5", rest('"error": {"type": "A", "message": 5}'), "error.message: expected text"],
  ["retryable text", rest('"error": {"type": "A", "retryable": "no"}'), "error.retryable: expected true or false"],
  ["a delay of text", rest('"error": {"type": "A", "next_retry_delay": "5s"}'), "error.next_retry_delay: expected sec"],
])("%s ends the attempt with the reason", (_name, text, problem) => {
  const { token, outcome } = read(text);
  expect(token).toBe(TOKEN);
  expect(outcome).toMatchObject({ ok: false, error: { type: "ANSWER_INVALID", retryable: true } });
  const { message } = (outcome as { error: { message: string } }).error;
  expect(message).toContain("the answer of the agent cannot be taken: ");
  expect(message).toContain(problem);
});

test.each([
  ["no token", '{"output": NaN}'],
  ["the token of another task in the output", '{"output": {"correlation_id": "other"}, "x": NaN}'],
  ["a token in text", '{"output": "\\"correlation_id\\": \\"other\\"", "x": NaN}'],
  ["a token that is none", '{"correlation_id": "a b", "output": NaN}'],
  ["a token after the end", `{"output": NaN} {"correlation_id": "other"}`],
  ["no object", "[]"],
  ["a number for a token", '{"correlation_id": 5, "status": "completed"}'],
])("%s: it is dropped", (_name, text) => {
  expect(() => read(text)).toThrow(AnswerRefused);
});

test.each([
  ["a type that flows can match", { type: "NO_ROOM", message: "full" }, "NO_ROOM", "full"],
  [
    "another type",
    { type: "java.lang.NullPointerException", message: "full" },
    "AGENT_FAILED",
    "java.lang.NullPointerException: full",
  ],
  ["a long type", { type: "A".repeat(65), message: "" }, "AGENT_FAILED", "A".repeat(65)],
  ["no type", { message: "full" }, "AGENT_FAILED", "full"],
  ["nothing", {}, "AGENT_FAILED", "the agent gave no reason"],
])("an error with %s", (_name, error, type, message) => {
  expect(readParts({ status: "failed", error: { ...error, details: { a: 1 } } }).outcome).toEqual({
    ok: false,
    error: { type, message, retryable: true, details: { a: 1 } },
  });
});
