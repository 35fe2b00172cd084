/** What agents read and write, as `contracts/agents` describes it. */
import { readFileSync } from "node:fs";
import { type Schema, Validator } from "@cfworker/json-schema";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

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
  return typeof id === "string" && id !== "" && id.length <= 255 ? { id, value } : null;
}

/** The text of an answer. Strings lose what neither JSON readers nor databases take: NUL and half surrogates. */
export function writeResponse(response: AgentResponse): string {
  return JSON.stringify(response, (_, value: unknown) =>
    typeof value === "string" ? value.replaceAll("\0", "\ufffd").toWellFormed() : value,
  );
}
