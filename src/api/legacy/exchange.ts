/** A request as handlers of these routes see it, and what they answer. */
import { refuseField } from "../../base/field-error.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";
import type { ApiClient } from "../client/client.ts";

/** A request. */
export interface Exchange {
  /** Calls the service as the caller of this request. */
  readonly client: ApiClient;
  /** The parts of the path that vary, decoded. */
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  /** The header `Idempotency-Key`; empty if there is none. */
  readonly idempotencyKey: string;
  /** Reads the body; null: it is empty. Errors: INVALID_JSON, INVALID_REQUEST if it is no object. */
  body(): Promise<JsonObject | null>;
}

/** The answer: JSON text with its status. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** An answer with a value as its body. */
export function answer(status: number, value: unknown): Answer {
  return { status, text: JSON.stringify(value) };
}

/** An answer whose last field is JSON text that is not parsed for it. */
export function answerWith(status: number, value: object, field: string, json: string): Answer {
  const head = JSON.stringify(value);
  return { status, text: `${head.slice(0, -1)}${head === "{}" ? "" : ","}${JSON.stringify(field)}:${json}}` };
}

/** A body as an object. */
export function readObject(bytes: Uint8Array, maxBytes: number): JsonObject {
  const value = parseJson(bytes, { field: "the body", maxBytes });
  if (typeof value === "object" && value !== null && !isList(value)) return value;
  return refuseField("", "the body must be a JSON object");
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** The header `Idempotency-Key`, which becomes a request id. A malformed one is refused before anything else. */
export function readKey(header: string | readonly string[] | undefined): string {
  const key = String(header ?? "");
  if (/^[!-~]{0,128}$/.test(key)) return key;
  return refuseField("Idempotency-Key", "must have at most 128 printable characters without spaces");
}

/** Refuses names that a path does not know: a filter that is misspelled would find everything. */
export function checkNames(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys())
    if (!known.includes(name)) {
      const cure = known.length === 0 ? "this call takes none" : `known: ${known.join(", ")}`;
      refuseField(name.slice(0, 100), `the query has no such name; ${cure}`);
    }
}

/** A text of the body; empty if it is absent or null, which some languages send for what was not set. */
export function readText(value: Json | undefined, field: string): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : refuseField(field, "expected text");
}

/** A text of the query; empty if it is not there. */
export function textOf(query: URLSearchParams, name: string): string {
  const values = query.getAll(name);
  if (values.length > 1) refuseField(name, "appears more than once");
  return values[0] ?? "";
}
