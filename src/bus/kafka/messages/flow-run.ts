import { createHash } from "node:crypto";
import type { Json, JsonObject } from "../../../base/json/json.ts";
import { readTraceContext, type TraceContext } from "../../../base/traces/trace-context.ts";
import type { InboundMessage } from "../../../engine/ports/bus/inbound.ts";
import { Fields, MessageRefused, readBody, toContext } from "../../message-fields.ts";

/** A run that a message asks for. */
export interface FlowRunRequested {
  readonly runId: string;
  readonly correlationId: string;
  readonly flowId: string;
  /** Empty: the default tenant. */
  readonly tenantId: string;
  readonly userId: string;
  readonly input: JsonObject;
  /** A flow that comes with the message; null: the registered one. */
  readonly definition: Json | null;
  /** With the keys of the message that are not its own. */
  readonly context: JsonObject | null;
  /** Its position in a trace, by its headers; null: it has none. */
  readonly trace: TraceContext | null;
}

/** Run ids that are accepted. */
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Reads a message of the topic of runs. Throws {@link MessageRefused}. */
export function readFlowRun(message: InboundMessage, maxBytes: number): FlowRunRequested {
  const fields = new Fields(readBody(message.value, maxBytes));
  fields.checkType("flow_run_requested");
  const runId = fields.text("run_id") || runIdOf(message);
  if (!RUN_ID.test(runId))
    throw new MessageRefused(
      "INVALID_MESSAGE",
      "run_id: expected up to 100 letters, digits, and . _ -, beginning with a letter or digit",
    );
  const definition = fields.any("flow_definition") ?? null;
  const flowId = fields.text("flow_id") || (definition === null ? fields.requiredText("flow_id") : "");
  const own = {
    ...{ runId, definition, flowId },
    correlationId: fields.text("correlation_id") || runId,
    tenantId: fields.text("tenant_id"),
    userId: fields.text("user_id"),
    input: fields.object("input") ?? {},
    trace: readTraceContext((name) => textOf(message, name)),
  };
  return { ...own, context: toContext({ ...fields.object("execution_context"), ...fields.rest() }) };
}

/** The last header of that name, as text; empty: it has none. */
function textOf({ headers }: InboundMessage, name: string): string {
  const found = headers.findLast(([key]) => key !== null && Buffer.from(key).toString("latin1") === name);
  return Buffer.from(found?.[1] ?? "").toString("latin1");
}

/** The id of a run whose message names none: the same whenever the message is read. */
function runIdOf({ clusterId, topicId, partition, offset }: InboundMessage): string {
  const place = `${clusterId} ${topicId} ${partition} ${offset}`;
  return `kafka-${createHash("sha256").update(place).digest("hex").slice(0, 32)}`;
}
