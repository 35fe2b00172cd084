/** What agents read and write, as `contracts/agents` describes it. */
import { readFileSync } from "node:fs";
import { type Schema, Validator } from "@cfworker/json-schema";
import { findFault, type Json, type JsonObject, MAX_DEPTH } from "./json.ts";

/** One attempt of a task. */
export interface AgentRequest {
  readonly correlation_id: string;
  readonly task_type: string;
  readonly parameters: JsonObject;
  readonly execution_id?: string;
  readonly task_id?: string;
  readonly attempt?: number;
  readonly timeout?: number | null;
}

/** How an attempt ended. */
export interface AgentResponse {
  readonly correlation_id: string;
  readonly status: "completed" | "failed";
  readonly output: Json;
  readonly error: AgentProblem | null;
  readonly progress: number | null;
}

/** Why an attempt failed. */
export interface AgentProblem {
  readonly type: string;
  readonly message: string;
  readonly retryable: boolean;
  /** Seconds. */
  readonly next_retry_delay?: number;
  readonly details?: Json;
}

/** What else an error says. */
export interface AgentErrorOptions {
  /** Whether another attempt may succeed; default: false. */
  readonly retryable?: boolean;
  readonly nextRetryDelaySeconds?: number;
  readonly details?: Json;
}

/** A failure that the answer names. */
export class AgentError extends Error {
  readonly problem: AgentProblem;

  constructor(type: string, message: string, options: AgentErrorOptions = {}) {
    super(message);
    const { retryable = false, nextRetryDelaySeconds, details } = options;
    this.problem = {
      ...{ type, message, retryable },
      ...(nextRetryDelaySeconds === undefined ? {} : { next_retry_delay: nextRetryDelaySeconds }),
      ...(details === undefined ? {} : { details }),
    };
  }
}

/** Checks a value. Throws REQUEST_INVALID, which names the place. */
export type Check = (value: Json) => void;

/** Longest timeout that counts, seconds: about 23 days, the longest of the timers of Node. */
export const MAX_TIMEOUT_SECONDS = 2_000_000;

/** Loads a schema of `contracts/agents`; `name` as in `request`, `data-parameters`. */
export function loadCheck(name: string): Check {
  const file = new URL(`../../../contracts/agents/${name}.schema.json`, import.meta.url);
  const validator = new Validator(JSON.parse(readFileSync(file, "utf8")) as Schema, "2020-12", false);
  return (value) => {
    const { valid, errors } = validator.validate(value);
    if (valid) return;
    // The deepest place tells most; what surrounds it only says that something is wrong there.
    const deepest = errors.toSorted((a, b) => b.instanceLocation.length - a.instanceLocation.length)[0];
    const place = deepest?.instanceLocation.replace(/^#\/?/, "").replaceAll("/", ".") || "the message";
    throw new AgentError("REQUEST_INVALID", `${name}: ${place}: ${deepest?.error ?? "does not fit the schema"}`);
  };
}

/** The correlation id of a text that may be anything, or null: nobody waits for an answer to it. */
export function readCorrelationId(text: string): { readonly id: string; readonly value: Json } | null {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const id = (value as JsonObject)["correlation_id"];
  return typeof id === "string" && id !== "" && id.length <= 255 && findFault(id) === null ? { id, value } : null;
}

/** Throws REQUEST_INVALID for what no service sends. Parameters of the service's depth have the message around them. */
export function checkValues(request: Json): void {
  const fault = findFault(request, MAX_DEPTH + 1);
  if (fault !== null) throw new AgentError("REQUEST_INVALID", `request: it has ${fault}`);
}

/** Longest message of an error, characters. */
const MAX_MESSAGE = 4_000;

/**
 * The text of an answer, and how it ends: an output that the service would refuse, or that cannot be written, is an
 * error instead. Never throws.
 */
export function encodeAnswer(response: AgentResponse, maxBytes: number): { text: string; error: AgentProblem | null } {
  const { correlation_id: id, error } = response;
  if (error !== null) return { text: encodeFailure(id, error, maxBytes), error };
  const refuse = (type: string, message: string) =>
    encodeAnswer(toFailure(id, new AgentError(type, message)), maxBytes);
  try {
    const fault = findFault(response);
    if (fault !== null) return refuse("OUTPUT_INVALID", `the output has ${fault}, which the service does not take`);
    const text = JSON.stringify(response);
    const bytes = Buffer.byteLength(text);
    if (bytes <= maxBytes) return { text, error };
    const message = `the answer has ${bytes} bytes, and at most ${maxBytes} are allowed; ask for less`;
    return refuse("OUTPUT_TOO_LARGE", message);
  } catch (cause) {
    return refuse("OUTPUT_INVALID", `the output cannot be written as JSON: ${(cause as Error).message}`);
  }
}

/** The answer for an attempt that failed. */
export function toFailure(id: string, { problem }: { readonly problem: AgentProblem }): AgentResponse {
  return { correlation_id: id, status: "failed", output: null, error: problem, progress: null };
}

/** A message is for people: what it cannot have is shown as U+FFFD. Details that do not fit are left out. */
function encodeFailure(id: string, problem: AgentProblem, maxBytes: number): string {
  const { details, ...rest } = problem;
  const message = rest.message.slice(0, MAX_MESSAGE).replaceAll("\0", "\ufffd").toWellFormed();
  const write = (more: Partial<AgentProblem>): string =>
    JSON.stringify(toFailure(id, { problem: { ...rest, message, ...more } }));
  const text = details === undefined || findFault(details, MAX_DEPTH - 2) !== null ? write({}) : write({ details });
  return Buffer.byteLength(text) <= maxBytes ? text : write({});
}
