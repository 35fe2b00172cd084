/** PayloadService: the bytes of payloads that answers refer to. They stand in the journal of their run (docs/adr/0018-payloads-stay-in-the-journal.md). */
import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import type { RunState } from "../../engine/machine/state.ts";
import type { RunReader } from "../../engine/ports/run-reader.ts";
import { PayloadService, type ReadPayloadResponse } from "../../gen/orchestrator/v1/payload_service_pb.ts";
import type { ServiceHandlers } from "../calls/call.ts";
import { defineService } from "../calls/services.ts";
import { encodeJson, toRef } from "../mapping/payload.ts";

/** Bytes of one chunk. */
const CHUNK_BYTES = 262_144;

interface Needs {
  readonly runReader: Pick<RunReader, "getRun">;
}

function createHandlers({ runReader }: Needs): ServiceHandlers<typeof PayloadService> {
  return {
    async *readPayload({ payloadId, offset, limit }, call): AsyncIterable<ReadPayloadResponse> {
      const place = Buffer.from(payloadId, "base64url").toString("utf8");
      const [, runId, part] = /^([^/]+)\/(.+)$/su.exec(place) ?? [];
      if (runId === undefined || part === undefined) fail("PAYLOAD_NOT_FOUND", { payloadId });
      const { state } = await runReader.getRun(call.caller, runId);
      const value = findPayload(state, part);
      if (value === undefined) fail("PAYLOAD_NOT_FOUND", { payloadId });
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

/** The payload at a part of a run, as the mapping of answers names it; undefined when there is none. */
function findPayload(state: RunState, part: string): Json | undefined {
  if (part === "input") return state.vars;
  if (part === "output") return state.output;
  const [, path = "", form] = /^tasks\/(.+)\/(input|output)$/su.exec(part) ?? [];
  const task = state.tasks.get(path);
  if (form !== undefined) return form === "input" ? task?.input : task?.output;
  const [, id] = /^approvals\/(.+)\/data$/su.exec(part) ?? [];
  return id === undefined ? undefined : [...state.approvals.values()].find((one) => String(one.id) === id)?.data;
}

/** Payloads: read. */
export const payloadService = defineService(PayloadService, createHandlers);
