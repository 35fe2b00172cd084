/**
 * Answers of agents. One that cannot be taken ends its attempt with an error that says why, as long as it shows whose
 * answer it is. See `contracts/agents`.
 */
import { isDeepStrictEqual } from "node:util";
import { isOrchestratorError } from "../../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../../base/json/json.ts";
import { checkJson, MAX_JSON_DEPTH, parseJson } from "../../../base/json/json-parse.ts";
import type { AgentAnswer } from "../../../engine/ports/dispatch/agents.ts";
import { readError } from "./answer-errors.ts";
import { AnswerRefused } from "./refused.ts";
import { findToken } from "./token-scan.ts";

type Note = NonNullable<AgentAnswer["note"]>;
type Outcome = NonNullable<AgentAnswer["outcome"]>;

/** Levels of a message: its parts are checked one by one, so that the one that is too deep is named. */
const MAX_MESSAGE_DEPTH = 1_000;

/** Longest message of a progress, and the largest number of steps. */
const MAX_NOTE_LENGTH = 1_024;
const MAX_COUNT = 2 ** 31 - 1;

/** Where an output may be. */
const OUTPUTS = ["output", "result", "data"] as const;

/** An answer, and why it cannot be taken; null: it can. */
export interface ReadAnswer {
  readonly answer: AgentAnswer;
  readonly problem: string | null;
}

/** Reads an answer. Throws {@link AnswerRefused} when it does not show whose answer it is. */
export function readAnswer(kind: string, value: Uint8Array, maxBytes: number): ReadAnswer {
  let token: string | null = null;
  try {
    const body = readBody(value, maxBytes);
    token = readToken(body);
    return { answer: { kind, token, ...readParts(body) }, problem: null };
  } catch (error) {
    if (!(error instanceof AnswerRefused) && !isOrchestratorError(error)) throw error;
    const { message: problem } = error;
    token ??= findToken(value);
    if (token === null) throw new AnswerRefused(problem);
    const message = `the answer of the agent cannot be taken: ${problem}`;
    const outcome: Outcome = { ok: false, error: { type: "ANSWER_INVALID", message, retryable: true } };
    return { answer: { kind, token, note: null, outcome }, problem };
  }
}

function readBody(value: Uint8Array, maxBytes: number): JsonObject {
  const options = {
    field: "it",
    maxBytes,
    maxDepth: MAX_MESSAGE_DEPTH,
    largeIntegers: "text",
    badText: "leave",
  } as const;
  const body = parseJson(value, options);
  if (!isJsonObject(body)) throw new AnswerRefused("expected a JSON object");
  return body;
}

function readToken({ correlation_id: token }: JsonObject): string {
  if (typeof token !== "string" || token === "") throw new AnswerRefused("correlation_id: expected text");
  return token;
}

function readParts(body: JsonObject): Pick<AgentAnswer, "note" | "outcome"> {
  for (const field of [...OUTPUTS, "error", "progress"])
    checkJson(body[field] ?? null, { field, maxDepth: MAX_JSON_DEPTH });
  const note = readNote(body.progress ?? null);
  // Some write an empty text where there is no error.
  const error = body.error === "" ? null : (body.error ?? null);
  const end = endOf(body, error, note !== null);
  if (end === "failed") return { note, outcome: { ok: false, error: readError(error) } };
  if (end === "completed") {
    if (error !== null) throw new AnswerRefused("error: a completed task has none");
    return { note, outcome: { ok: true, output: readOutput(body) } };
  }
  if (note === null) throw new AnswerRefused("status: expected completed or failed, or a progress");
  return { note, outcome: null };
}

/** How the attempt ended; null: it goes on. */
function endOf(body: JsonObject, error: Json, hasNote: boolean): "completed" | "failed" | null {
  const { status = null, success = null } = body;
  const said = readStatus(status, hasNote);
  if (success !== null && typeof success !== "boolean") throw new AnswerRefused("success: expected true or false");
  const meant = success === null ? null : success ? "completed" : "failed";
  if (said !== null && meant !== null && said !== meant)
    throw new AnswerRefused(`status and success: ${said} contradicts ${success}`);
  const end = said ?? meant;
  if (end !== null || status !== null) return end;
  if (error !== null) return "failed";
  return !hasNote && OUTPUTS.some((name) => Object.hasOwn(body, name)) ? "completed" : null;
}

/** Other words than those for the end come with a progress. */
function readStatus(status: Json, hasNote: boolean): "completed" | "failed" | null {
  if (status === null) return null;
  const word = typeof status === "string" ? status.toLowerCase() : "";
  if (word === "completed" || word === "success") return "completed";
  if (word === "failed" || word === "error") return "failed";
  if (hasNote && word !== "") return null;
  throw new AnswerRefused("status: expected completed or failed, or a progress");
}

function readOutput(body: JsonObject): Json {
  const [first, ...others] = OUTPUTS.filter((name) => (body[name] ?? null) !== null);
  if (first === undefined) return null;
  const output = body[first] ?? null;
  for (const name of others)
    if (!isDeepStrictEqual(body[name], output)) throw new AnswerRefused(`${first} and ${name}: they are not the same`);
  return output;
}

/** A number from 0 to 1, a text, or `{fraction, current, total, message}`. */
function readNote(progress: Json): Note | null {
  if (progress === null) return null;
  const { fraction, current, total, message } = isJsonObject(progress)
    ? progress
    : { fraction: progress, current: null, total: null, message: progress };
  return {
    type: "progress",
    fraction: typeof fraction === "number" && fraction >= 0 && fraction <= 1 ? fraction : null,
    current: isCount(current) ? current : null,
    total: isCount(total) ? total : null,
    message: typeof message === "string" ? message.slice(0, MAX_NOTE_LENGTH) : "",
  };
}

/** Whether it is a number of steps that those who watch can be told. */
function isCount(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_COUNT;
}
