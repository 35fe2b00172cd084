/**
 * Payloads by reference. They are in the journal of their run (docs/adr/0018-payloads-stay-in-the-journal.md); a
 * reference names the run and the part of it. ReadPayload streams them, and requests can use them as their own.
 */
import { fail, isOrchestratorError, toError } from "../../base/errors.ts";
import type { Json } from "../../base/json/json.ts";
import type { RunState } from "../../engine/machine/state.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import type { RunReader } from "../../engine/ports/run-reader.ts";
import { NO_STORED_PAYLOADS, type PayloadInput, referenceOf, type StoredPayloads } from "../mapping/payload.ts";

export type PayloadReader = Pick<RunReader, "getRun">;

/** A payload and its place: a run and a part of it. */
export interface StoredPayload {
  readonly place: string;
  readonly value: Json;
}

/** Reads the payload with an id. Errors: PAYLOAD_NOT_FOUND, RUN_NOT_FOUND, RUN_DELETED, RUN_UNREADABLE. */
export async function readStoredPayload(
  reader: PayloadReader,
  caller: Caller,
  payloadId: string,
): Promise<StoredPayload> {
  const place = Buffer.from(payloadId, "base64url").toString("utf8");
  // Run ids of older releases can contain slashes.
  const [, runId, part] = /^(.+?)\/(input|output|tasks\/.+|approvals\/.+)$/su.exec(place) ?? [];
  if (runId === undefined || part === undefined) fail("PAYLOAD_NOT_FOUND", { payloadId });
  const { state } = await reader.getRun(caller, runId);
  const value = findPayload(state, part);
  return value === undefined ? fail("PAYLOAD_NOT_FOUND", { payloadId }) : { place, value };
}

/**
 * Reads the payloads behind the references of a request. Error: PAYLOAD_NOT_FOUND, also if the run of the payload is
 * gone.
 */
export async function readReferences(
  reader: PayloadReader,
  caller: Caller,
  payloads: readonly PayloadInput[],
): Promise<StoredPayloads> {
  const ids = new Set(payloads.flatMap((payload) => referenceOf(payload)?.payloadId ?? []));
  if (ids.size === 0) return NO_STORED_PAYLOADS;
  const found = new Map<string, Json>();
  for (const payloadId of ids) {
    try {
      found.set(payloadId, (await readStoredPayload(reader, caller, payloadId)).value);
    } catch (error) {
      // RUN_NOT_FOUND would appear to be about the run of the request.
      if (isOrchestratorError(error) && error.grpc === "NOT_FOUND")
        throw toError("PAYLOAD_NOT_FOUND", { payloadId }, { cause: error });
      throw error;
    }
  }
  return found;
}

/** The payload at a part of a run, named as in the mapping of responses; undefined if there is none. */
function findPayload(state: RunState, part: string): Json | undefined {
  if (part === "input") return state.vars;
  if (part === "output") return state.output;
  const [, path = "", form] = /^tasks\/(.+)\/(input|output)$/su.exec(part) ?? [];
  const task = state.tasks.get(path);
  if (form !== undefined) return form === "input" ? task?.input : task?.output;
  const [, id] = /^approvals\/(.+)\/data$/su.exec(part) ?? [];
  return id === undefined ? undefined : [...state.approvals.values()].find((one) => String(one.id) === id)?.data;
}
