/** What errors say besides their type and message, for programs. */
import type { Value } from "@bufbuild/protobuf/wkt";
import { isOrchestratorError } from "../../../base/errors.ts";
import type { Json } from "../../../base/json/json.ts";
import { parseJson } from "../../../base/json/json-parse.ts";
import { measureJson } from "../../../base/json/json-size.ts";
import type { TaskErrored } from "../../../gen/orchestrator/v1/worker_pb.ts";
import { fromValue, type PayloadRoom, toValue } from "../payload.ts";

interface Details {
  readonly details?: Json;
}

const NONE: Details = {};

/** The details of an error from outside. They are no reason to refuse it: what is no JSON is kept as text. */
export function fromDetails(given: TaskErrored["detailsValue"] | Value | undefined): Details {
  if (given === undefined) return NONE;
  if ("kind" in given) return known(fromValue(given));
  if (given.case === undefined) return NONE;
  return known(given.case === "details" ? fromValue(given.value) : fromText(given.value));
}

function known(details: Json): Details {
  return details === null ? NONE : { details };
}

function fromText(bytes: Uint8Array): Json {
  try {
    return parseJson(bytes, { field: "details_json", largeIntegers: "text", badText: "leave" });
  } catch (error) {
    if (!isOrchestratorError(error)) throw error;
    return new TextDecoder().decode(bytes);
  }
}

/** The details of an error in a response, if there is room for them; null: there is. */
export function toDetails(details: Json | undefined, room: PayloadRoom | null): { readonly details?: Value } {
  if (details === undefined) return {};
  if (room !== null) {
    const size = 2 * measureJson(details, room.left);
    if (size > room.left) return {};
    room.left -= size;
  }
  return { details: toValue(details) };
}
