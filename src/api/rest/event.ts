/** The raw form of ReceiveEvent: the body of any type is the event, and the headers are its headers. */
import type { IncomingHttpHeaders } from "node:http";
import { create, type Message } from "@bufbuild/protobuf";
import { ReceiveEventRequestSchema } from "../../gen/orchestrator/v1/trigger_service_pb.ts";
import type { ServedMethod } from "../calls/methods.ts";
import type { RestInput } from "./request.ts";

/** Whether a method takes bytes as they are. */
export function takesBytes(method: ServedMethod): boolean {
  return method.desc.input.typeName === ReceiveEventRequestSchema.typeName;
}

/** Reads an event. Names of headers are in lower case; the values of one that stands twice are joined by `, `. */
export function readEvent({ match, body }: RestInput, headers: IncomingHttpHeaders): Message {
  const texts = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  const triggerId = match.values["trigger_id"] ?? "";
  return create(ReceiveEventRequestSchema, { triggerId, body, headers: Object.fromEntries(texts) });
}
