/** What a flow declares of the results of its tasks, so that a dry run knows their form. */
import { isJsonObject, type Json, type JsonObject } from "../../base/json/json.ts";
import type { TaskSpec } from "../../flows/plan.ts";

/** The schema of the output of an attempt; undefined: nothing is declared. `input`: as far as it is known. */
export function resultSchemaOf({ type, effect }: TaskSpec, input: JsonObject): JsonObject | undefined {
  switch (type) {
    case "ai":
      // Agents answer in any form.
      return effect === "effectful" ? answerSchemaOf(input["response_format"]) : undefined;
    case "http":
      return input["full_response"] === true ? FULL_RESPONSE : undefined;
    default:
      return undefined;
  }
}

function answerSchemaOf(format: Json | undefined): JsonObject {
  const schema = format !== undefined && isJsonObject(format) ? format["schema"] : undefined;
  const content: Json = schema !== undefined && isJsonObject(schema) ? schema : {};
  return objectOf(["content", "provider", "model", "finish_reason", "usage", "cached", "calls"], { content });
}

const FULL_RESPONSE = objectOf(["status", "url", "headers", "body"], {});

function objectOf(required: readonly string[], properties: JsonObject): JsonObject {
  return { type: "object", required: [...required], properties, additionalProperties: false };
}
