/** The raw form of ReadPayload: the bytes with their media type, in place of an event stream. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { type ReadPayloadResponse, ReadPayloadResponseSchema } from "../../gen/orchestrator/v1/payload_service_pb.ts";
import type { ServedMethod } from "../calls/methods.ts";

/** Whether a method answers bytes. */
export function answersBytes(method: ServedMethod): boolean {
  return method.desc.output.typeName === ReadPayloadResponseSchema.typeName;
}

/**
 * Sends the payload of a stream. A payload has some megabytes at most, so it is collected: an error keeps its status.
 */
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
