/**
 * Converts values of a graph to JSON text and back: plain JSON, and a closed set of LangGraph's own kinds, each under
 * the key `$`. Input for decoding is untrusted: nothing in it names a class, a module, or a function, so the worst it
 * can be is a wrong value. A user object that has a key `$` is wrapped, so it cannot pose as one of these kinds; the
 * key `__proto__` is refused in both directions. Runs only in the graph worker.
 */
import {
  type BaseMessage,
  isBaseMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
  RemoveMessage,
  type StoredMessage,
} from "@langchain/core/messages";
import { Overwrite, Send } from "@langchain/langgraph";
import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import { fail, isOrchestratorError } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json/json.ts";
import { parseJson } from "../../base/json/json-parse.ts";

/** Maximum nesting depth of the state of a graph. */
export const MAX_STATE_DEPTH = 100;

/**
 * Returns the JSON text of a value. `where` names it in the error GRAPH_STATE_INVALID, which is thrown for values
 * without a JSON form: dates, sets, class instances, functions, NaN, NUL.
 */
export function encodeValue(value: unknown, where: string): string {
  return JSON.stringify(encode(value, where, 0));
}

/** Returns the value of a text that {@link encodeValue} produced. Throws GRAPH_STATE_INVALID for any other text. */
export function decodeValue(text: string, where: string): unknown {
  let parsed: Json;
  try {
    // Every level of a value may be one of the kinds, which adds a level.
    parsed = parseJson(text, { field: where, maxDepth: MAX_STATE_DEPTH * 2 });
  } catch (cause) {
    if (!isOrchestratorError(cause)) throw cause;
    return fail("GRAPH_STATE_INVALID", { problem: cause.message }, { cause });
  }
  return decode(parsed, where);
}

/**
 * Returns JSON for people: messages as `{type, content, …}`, everything else as in {@link encodeValue}; undefined
 * becomes null. For outputs and questions of graphs.
 */
export function toPlainJson(value: unknown, where: string): Json {
  return plain(encode(value, where, 0));
}

function encode(value: unknown, where: string, depth: number): Json {
  if (depth > MAX_STATE_DEPTH) return refuse(where, `it nests deeper than ${MAX_STATE_DEPTH} levels`);
  switch (typeof value) {
    case "string":
      if (value.includes("\u0000") || !value.isWellFormed())
        return refuse(where, "it holds text with NUL or half a surrogate pair");
      return value;
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : refuse(where, `it holds ${value}`);
    case "undefined":
      return { $: "undefined" };
    case "object":
      return value === null ? null : encodeObject(value, where, depth + 1);
    default:
      return refuse(where, `it holds a ${typeof value}`);
  }
}

function encodeObject(value: object, where: string, depth: number): Json {
  if (Array.isArray(value)) return value.map((element, index) => encode(element, `${where}[${index}]`, depth));
  if (isBaseMessage(value as BaseMessage)) {
    const [stored] = mapChatMessagesToStoredMessages([value as BaseMessage]);
    return { $: "message", type: stored?.type ?? "", data: encodeFields({ ...stored?.data }, where, depth) };
  }
  switch ((value as { lg_name?: unknown }).lg_name) {
    case "Send": {
      const { node, args } = value as Send;
      return { $: "send", node, args: encode(args, where, depth) };
    }
    case "Overwrite":
      return { $: "overwrite", value: encode((value as Overwrite).value, where, depth) };
  }
  if (value instanceof DeltaSnapshot) return { $: "delta", value: encode(value.value, where, depth) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return refuse(
      where,
      `it holds a ${value.constructor?.name ?? "value of a class"}; graphs keep JSON values and messages`,
    );
  }
  const fields = encodeFields(value, where, depth);
  return Object.hasOwn(fields, "$") ? { $: "object", value: fields } : fields;
}

function encodeFields(value: object, where: string, depth: number): JsonObject {
  const fields: Record<string, Json> = {};
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    checkKey(key, where);
    fields[key] = encode(field, `${where}.${key}`, depth);
  }
  return fields;
}

function decode(value: Json, where: string): unknown {
  if (Array.isArray(value)) return value.map((element) => decode(element, where));
  if (typeof value !== "object" || value === null) return value;
  const object = value as JsonObject;
  switch (object.$) {
    case undefined:
      return decodeFields(object, where);
    case "undefined":
      return undefined;
    case "object":
      return decodeFields(toObject(object.value, where), where);
    case "send":
      if (typeof object.node !== "string") return refuse(where, "a send has no node");
      return new Send(object.node, decode(object.args ?? null, where));
    case "overwrite":
      return new Overwrite(decode(object.value ?? null, where));
    case "delta":
      return new DeltaSnapshot(decode(object.value ?? null, where));
    case "message":
      return decodeMessage(object, where);
    default:
      return refuse(where, `kind ${JSON.stringify(object.$)} is not known`);
  }
}

function decodeMessage(object: JsonObject, where: string): BaseMessage {
  const type = typeof object.type === "string" ? object.type : "";
  const data = decodeFields(toObject(object.data, where), where);
  if (type === "remove") return new RemoveMessage({ id: String(data.id) });
  try {
    const [message] = mapStoredMessagesToChatMessages([{ type, data } as unknown as StoredMessage]);
    if (message !== undefined) return message;
  } catch (cause) {
    fail("GRAPH_STATE_INVALID", { problem: `${where}: a message of type "${type}" cannot be read` }, { cause });
  }
  return refuse(where, "a message is missing");
}

function decodeFields(object: JsonObject, where: string): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(object)) {
    checkKey(key, where);
    fields[key] = decode(field, where);
  }
  return fields;
}

function plain(value: Json): Json {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const object = value as JsonObject;
  switch (object.$) {
    case undefined:
      return plainFields(object);
    case "undefined":
      return null;
    case "message":
      return { type: object.type ?? "", ...plainFields((object.data ?? {}) as JsonObject) };
    case "send":
      return { node: object.node ?? null, args: plain(object.args ?? null) };
    case "object":
      return plainFields((object.value ?? {}) as JsonObject);
    default:
      return plain(object.value ?? null);
  }
}

function plainFields(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, field]) => [key, plain(field)]));
}

function toObject(value: Json | undefined, where: string): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  return refuse(where, "an object is missing");
}

function checkKey(key: string, where: string): void {
  if (key === "__proto__") refuse(where, "it has the key __proto__");
  if (key.includes("\u0000") || !key.isWellFormed()) refuse(where, "it has a key with NUL or half a surrogate pair");
}

function refuse(where: string, why: string): never {
  return fail("GRAPH_STATE_INVALID", { problem: `${where}: ${why}` });
}
