/** Requests to start an execution of a workflow, as they come over Redis. */
import { isJsonObject, type JsonObject } from "../../../base/json/json.ts";
import { readTraceContext, type TraceContext } from "../../../base/traces/trace-context.ts";
import { Fields, MessageRefused, readBody, toContext } from "../../message-fields.ts";

/** Longest texts, characters: those of a start by a call. */
const MAX_TEXT = 256;

/** A request. Empty texts are absent. */
export interface WorkflowRequest {
  readonly correlationId: string;
  readonly userId: string;
  readonly template: string;
  readonly variables: JsonObject;
  /** Keys that are not its own; null: there are none. */
  readonly context: JsonObject | null;
  /** Its position in a trace; null: it names none. */
  readonly trace: TraceContext | null;
}

/** Reads a request. Throws `MessageRefused`. */
export function readWorkflowRequest(value: Buffer, maxBytes: number): WorkflowRequest {
  const fields = new Fields(readBody(value, maxBytes));
  const request = {
    correlationId: short("correlation_id", fields.text("correlation_id")),
    userId: short("user_id", fields.text("user_id")),
    template: short("workflow_template", fields.requiredText("workflow_template")),
    variables: fields.object("variables") ?? {},
    trace: readTraceContext((name) => fields.text(name)),
  };
  return { ...request, context: toContext(fields.rest()) };
}

function short(name: string, text: string): string {
  if (text.length <= MAX_TEXT) return text;
  throw new MessageRefused("INVALID_MESSAGE", `${name}: expected at most ${MAX_TEXT} characters`);
}

/** What can be read of a request that is refused. */
export function readWhatCanBeRead(value: Buffer, maxBytes: number): WorkflowRequest {
  try {
    return readWorkflowRequest(value, maxBytes);
  } catch {
    // Why it is refused is known already.
  }
  const body = parse(value);
  const textOf = (name: string): string => {
    const text = Object.hasOwn(body, name) ? body[name] : null;
    // The store cannot hold every character.
    return typeof text === "string" && text.length <= MAX_TEXT && /^[\x20-\x7e]*$/.test(text) ? text : "";
  };
  return {
    correlationId: textOf("correlation_id"),
    userId: textOf("user_id"),
    template: textOf("workflow_template"),
    variables: {},
    context: null,
    trace: null,
  };
}

function parse(value: Buffer): JsonObject {
  try {
    const body = JSON.parse(value.toString("utf8"));
    return isJsonObject(body) ? body : {};
  } catch {
    // It is no JSON.
    return {};
  }
}
