/** The raw form of ReadPayload: bytes with their media type instead of an event stream. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { type ReadPayloadResponse, ReadPayloadResponseSchema } from "../../gen/orchestrator/v1/payload_service_pb.ts";
import type { ServedMethod } from "../calls/methods.ts";

/** Whether a method can return bytes. */
export function answersBytes(method: ServedMethod): boolean {
  return method.desc.output.typeName === ReadPayloadResponseSchema.typeName;
}

/** Sends a payload. It has a few megabytes at most, so it is collected first, and an error keeps its status. */
export async function sendPayload(
  frames: AsyncIterable<ReadPayloadResponse>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const chunks: Uint8Array[] = [];
  for await (const { frame } of frames) {
    if (frame.case === "chunk") chunks.push(frame.value);
    if (frame.case !== "ref") continue;
    const etag = `"${frame.value.sha256}"`;
    reply.headers({
      "content-type": frame.value.contentType,
      etag,
      "cache-control": "private, no-cache",
      "content-disposition": 'attachment; filename="payload.json"',
      "x-content-type-options": "nosniff",
    });
    if (request.headers["if-none-match"] === etag) return reply.code(304).send();
  }
  return reply.send(Buffer.concat(chunks));
}
