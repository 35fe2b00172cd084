/** Fields of inbound messages: JSON objects with known keys, each of its type. */
import { isOrchestratorError } from "../base/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../base/json/json.ts";
import { MAX_CONTEXT_BYTES } from "../base/json/json-limits.ts";
import { parseJson } from "../base/json/json-parse.ts";

/** A message that cannot be understood: it is rejected. */
export class MessageRefused extends Error {
  /** `NOT_JSON`, `INVALID_MESSAGE`, … */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The body of a message. Throws {@link MessageRefused} unless it is a JSON object of at most `maxBytes`. */
export function readBody(value: Uint8Array | null, maxBytes: number): JsonObject {
  if (value === null) throw new MessageRefused("NOT_JSON", "the message has no value");
  try {
    const body = parseJson(value, { field: "the message", maxBytes });
    if (isJsonObject(body)) return body;
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    throw new MessageRefused(error.code === "PAYLOAD_TOO_LARGE" ? "TOO_LARGE" : "NOT_JSON", error.message);
  }
  throw new MessageRefused("NOT_JSON", "the message is not a JSON object");
}

/** Reads the fields of a body. Absent and null are the same. */
export class Fields {
  readonly #body: JsonObject;
  readonly #known = new Set<string>();

  constructor(body: JsonObject) {
    this.#body = body;
  }

  /** Refuses the message unless its event has this type, if it names one. */
  checkType(expected: string): void {
    const type = this.text("event_type");
    if (type !== "" && type !== expected) invalid("event_type", `expected ${expected}`);
  }

  /** Text; empty when absent. */
  text(name: string): string {
    const value = this.#take(name);
    if (value === undefined) return "";
    return typeof value === "string" ? value : invalid(name, "expected text");
  }

  requiredText(name: string): string {
    return this.text(name) || invalid(name, "it is missing");
  }

  /** A whole number of at least 0; null when absent. */
  count(name: string): number | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    return typeof value === "number" && Number.isInteger(value) && value >= 0
      ? value
      : invalid(name, "expected a whole number of at least 0");
  }

  /** A number of at least 0; null when absent. */
  amount(name: string): number | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    return typeof value === "number" && value >= 0 ? value : invalid(name, "expected a number of at least 0");
  }

  /** An object; null when absent. */
  object(name: string): JsonObject | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    return isJsonObject(value) ? value : invalid(name, "expected an object");
  }

  /** Any value; undefined when absent. */
  any(name: string): Json | undefined {
    return this.#take(name);
  }

  /** What was not asked for. */
  rest(): JsonObject {
    return Object.fromEntries(Object.entries(this.#body).filter(([name]) => !this.#known.has(name)));
  }

  #take(name: string): Json | undefined {
    this.#known.add(name);
    return (Object.hasOwn(this.#body, name) ? this.#body[name] : undefined) ?? undefined;
  }
}

/**
 * The context of a run: keys that are not the message's own. Null: there are none. Throws {@link MessageRefused} if
 * they are more than a run may have.
 */
export function toContext(context: JsonObject): JsonObject | null {
  const names = Object.keys(context);
  if (names.length === 0) return null;
  const size = Buffer.byteLength(JSON.stringify(context));
  if (size <= MAX_CONTEXT_BYTES) return context;
  const some = names.slice(0, 3).join(", ").slice(0, 100);
  throw new MessageRefused(
    "TOO_LARGE",
    `the execution context (${some}) has ${size} bytes as JSON; the limit is ${MAX_CONTEXT_BYTES}`,
  );
}

function invalid(name: string, problem: string): never {
  throw new MessageRefused("INVALID_MESSAGE", `${name}: ${problem}`);
}
