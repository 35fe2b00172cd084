/**
 * PayloadService: payloads behind references. They are in the journal of their run
 * (docs/adr/0018-payloads-stay-in-the-journal.md).
 */
import { PayloadService, type ReadPayloadResponse } from "../../gen/orchestrator/v1/payload_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { encodeJson, toRef } from "../mapping/payload.ts";
import { type PayloadReader, readStoredPayload } from "./stored-payloads.ts";

/** Bytes per chunk. */
const CHUNK_BYTES = 262_144;

interface Needs {
  readonly runReader: PayloadReader;
}

function createHandlers({ runReader }: Needs): ServiceHandlers<typeof PayloadService> {
  return {
    async *readPayload({ payloadId, offset, limit }, call): AsyncIterable<ReadPayloadResponse> {
      const { place, value } = await readStoredPayload(runReader, call.caller, payloadId);
      const bytes = encodeJson(value);
      yield toFrame({ case: "ref", value: toRef(place, bytes) });
      const end = limit === 0 ? bytes.length : Math.min(bytes.length, offset + limit);
      for (let at = offset; at < end; at += CHUNK_BYTES)
        yield toFrame({ case: "chunk", value: bytes.subarray(at, Math.min(end, at + CHUNK_BYTES)) });
    },
  };
}

function toFrame(frame: ReadPayloadResponse["frame"]): ReadPayloadResponse {
  return { $typeName: "orchestrator.v1.ReadPayloadResponse", frame };
}

export const payloadService = defineService(PayloadService, createHandlers);
