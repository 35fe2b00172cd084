/** Formats frames of streams as server-sent events. */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { OrchestratorError } from "../../base/errors.ts";
import { toStatus } from "../errors/status.ts";
import { printMessage, printStatus } from "../http/print.ts";

interface Frame {
  readonly case?: string;
  readonly value?: { readonly cursor?: string };
}

/**
 * Formats a message: `event:` is the kind of frame, `id:` its cursor, `data:` the message as proto JSON on one line. A
 * heartbeat is a comment, which readers skip.
 */
export function formatEvent(desc: DescMessage, message: Message): string {
  const { frame } = message as unknown as { readonly frame?: Frame };
  const kind = frame?.case;
  if (kind === "heartbeat") return ": heartbeat\n\n";
  const cursor = frame?.value?.cursor;
  const id = cursor === undefined || cursor === "" ? "" : `id: ${cursor}\n`;
  return `${id}event: ${kind ?? "message"}\ndata: ${printMessage(desc, message)}\n\n`;
}

/** Formats the error that ends a stream. */
export function formatFailure(error: OrchestratorError, requestId: string): string {
  return `event: error\ndata: ${printStatus(toStatus(error, { requestId }))}\n\n`;
}
