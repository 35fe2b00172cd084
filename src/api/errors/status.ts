/**
 * Errors on the wire: every error that leaves the service is a `google.rpc.Status` with exactly one ErrorInfo,
 * whichever protocol carries it. Errors of the catalogue become what the catalogue says; everything else is a bug and
 * becomes INTERNAL with an id that is in the log.
 */
import { randomUUID } from "node:crypto";
import type { DescMessage, DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { GRPC_CODE } from "../../base/error-entry.ts";
import type { ErrorCode, ErrorDetails, FieldViolation, Repeat } from "../../base/errors.ts";
import { isOrchestratorError, OrchestratorError, toError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Caller } from "../../engine/ports/caller.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { toDuration } from "../mapping/time.ts";
import { PassedError } from "./passed-error.ts";
import { isRepeatable } from "./repeatable.ts";

/**
 * `ErrorInfo.domain` of every error: the root of the contract's packages. Fixed for ever
 * (docs/adr/0015-error-domain.md).
 */
export const ERROR_DOMAIN = "orchestrator";

/** What a caller may wait before the next try when the error itself does not say. */
const DEFAULT_RETRY_MS = 1_000;

/** Longest sentence on the wire, characters. */
const MAX_MESSAGE_LENGTH = 1_024;

/**
 * Room of an error that travels in headers or trailers, bytes as they travel: the sentence percent-encoded (nine bytes
 * for a character of Chinese), the details as base64. Together they stay below 8 KiB, which clients accept by default;
 * some refuse all of an answer beyond 16 KiB.
 */
const HEADER_ROOM = { message: 1_536, status: 4_300, metadata: 1_024, value: 512, resource: 256 } as const;

/** Kinds of resources that errors name: type, and the detail that holds the name. */
const RESOURCES: Readonly<Record<string, { readonly type: string; readonly key: string }>> = {
  RUN_NOT_FOUND: { type: "orchestrator.v1.Run", key: "runId" },
  RUN_DELETED: { type: "orchestrator.v1.Run", key: "runId" },
  RUN_ALREADY_EXISTS: { type: "orchestrator.v1.Run", key: "runId" },
  RUN_KEY_OPEN: { type: "orchestrator.v1.Run", key: "runId" },
  RUN_TASK_NOT_FOUND: { type: "orchestrator.v1.RunTask", key: "taskId" },
  FLOW_NOT_FOUND: { type: "orchestrator.v1.Flow", key: "flowId" },
  FLOW_VERSION_EXISTS: { type: "orchestrator.v1.Flow", key: "flowId" },
  TEMPLATE_NOT_FOUND: { type: "orchestrator.v1.Template", key: "templateId" },
  APPROVAL_NOT_FOUND: { type: "orchestrator.v1.Approval", key: "approvalId" },
};

/** Fields of requests that errors of these codes are about, where the error itself does not name one. */
const FIELDS: Partial<Record<ErrorCode, string>> = {
  FILTER_INVALID: "filter",
  PAGE_TOKEN_INVALID: "page_token",
  WATCH_CURSOR_INVALID: "cursor",
};

/** What the log says of the call that failed. */
export interface ErrorContext {
  readonly requestId?: string;
  readonly caller?: Caller;
}

/**
 * The error as the catalogue knows it. What is foreign goes to the log with an id, and INTERNAL with that id takes its
 * place.
 */
export function classifyError(error: unknown, log: Log, method: string, of: ErrorContext = {}): OrchestratorError {
  // The service that made it has logged it.
  if (error instanceof PassedError) return error;
  if (isOrchestratorError(error)) {
    if (error.code !== "INTERNAL" && error.grpc !== "INTERNAL" && error.grpc !== "DATA_LOSS") return error;
    if (error.details.errorId !== undefined) return error;
  }
  const errorId = randomUUID();
  const { requestId, caller } = of;
  log.error("call failed by an internal error", { method, requestId, tenantId: caller?.tenantId, errorId, error });
  return toError("INTERNAL", { errorId }, { cause: error });
}

/**
 * The error as the caller of `method` is told: a call whose outcome is not known may be sent again when it only reads
 * or is idempotent, or with its `request_id`. Without one it may not.
 */
export function forCall(error: OrchestratorError, method: DescMethod, request: Message | null): OrchestratorError {
  // The instance that made the call has said so already.
  if (error.retry !== "request_id" || error instanceof PassedError) return error;
  const { requestId } = (request ?? {}) as { readonly requestId?: string };
  const repeat: Repeat = !isRepeatable(method, { requestId })
    ? ""
    : requestId !== undefined && requestId !== ""
      ? "SAME_REQUEST_ID"
      : "SAME_REQUEST";
  if (repeat === error.repeat) return error;
  const { code, details, cause, violations, retryAfterMs } = error;
  return new OrchestratorError(code, details, {
    cause,
    violations,
    repeat,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The sentence as JSON can carry it: well-formed, on one line, not too long. */
function publicMessage(error: OrchestratorError): string {
  const text = error.message.toWellFormed().replaceAll(/[\u0000-\u001f\u007f]+/g, " ");
  return text.length <= MAX_MESSAGE_LENGTH ? text : `${text.slice(0, MAX_MESSAGE_LENGTH - 1).toWellFormed()}…`;
}

/**
 * A sentence as `grpc-message` carries it: everything but printable ASCII percent-encoded. Libraries do not decode what
 * need not be encoded.
 */
export function encodeMessage(text: string): string {
  return text.replaceAll(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}

/** What the status of an error may depend on beside the error. */
export interface StatusOptions {
  /** Id of the request; becomes RequestInfo. */
  readonly requestId?: string;
  /**
   * The details travel in headers or trailers: everything is bounded, what is left out of the violations is counted in
   * the last of them.
   */
  readonly inHeaders?: boolean;
}

/** The error as `google.rpc.Status`. */
export function toStatus(error: OrchestratorError, options: StatusOptions = {}): Status {
  if (error instanceof PassedError) return error.status;
  const { requestId = "", inHeaders = false } = options;
  const text = publicMessage(error);
  const message = inHeaders ? cutBytes(text, HEADER_ROOM.message, encodedLength) : text;
  const details: Any[] = [
    packDetail(ErrorInfoSchema, {
      reason: error.code,
      domain: ERROR_DOMAIN,
      metadata: inHeaders ? toShortMetadata(metadataOf(error)) : toMetadata(metadataOf(error)),
    }),
  ];
  const resource = RESOURCES[error.code];
  if (resource !== undefined) {
    const name = wellFormed(error.details[resource.key] ?? "");
    details.push(
      packDetail(ResourceInfoSchema, {
        resourceType: resource.type,
        resourceName: inHeaders ? cutBytes(name, HEADER_ROOM.resource) : name,
      }),
    );
  }
  if (requestId !== "") details.push(packDetail(RequestInfoSchema, { requestId }));
  const retryMs = retryDelayMs(error);
  if (retryMs !== null) details.push(packDetail(RetryInfoSchema, { retryDelay: toDuration(retryMs) }));
  const status = create(StatusSchema, { code: GRPC_CODE[error.grpc], message, details });
  const violations = violationsOf(error);
  if (violations.length > 0) {
    const room = inHeaders ? HEADER_ROOM.status - toBinary(StatusSchema, status).length : Number.POSITIVE_INFINITY;
    details.splice(1, 0, packViolations(violations, room));
    status.details = details;
  }
  return status;
}

/** Violated fields of an error; one that names its field in its details violates that field. */
function violationsOf(error: OrchestratorError): readonly FieldViolation[] {
  if (error.violations.length > 0 || error.grpc !== "INVALID_ARGUMENT") return error.violations;
  const field = error.details.field ?? FIELDS[error.code];
  if (field === undefined || field === "") return [];
  const { problem } = error.details;
  return [{ field: String(field), description: problem === undefined ? error.message : String(problem) }];
}

/**
 * When the caller may come back, milliseconds; null when coming back does not help or the error says nothing about it.
 */
export function retryDelayMs(error: OrchestratorError): number | null {
  if (error.repeat === "") return null;
  if (error.retryAfterMs !== undefined) return error.retryAfterMs;
  return error.grpc === "UNAVAILABLE" || error.grpc === "RESOURCE_EXHAUSTED" ? DEFAULT_RETRY_MS : null;
}

/** Bytes that a violation takes beside its texts: tags and lengths, and those of the detail around it. */
const VIOLATION_FRAME = 12;
/** Room that is kept for the type of the detail and for saying how many violations are left out. */
const VIOLATIONS_FRAME = 120;

function packViolations(violations: readonly FieldViolation[], maxBytes: number): Any {
  const fieldViolations: { field: string; description: string }[] = [];
  let left = maxBytes - VIOLATIONS_FRAME;
  for (const violation of violations) {
    const place =
      violation.line === undefined
        ? ""
        : `line ${violation.line}${violation.column === undefined ? "" : `, column ${violation.column}`}: `;
    let field = wellFormed(violation.field);
    let description = place + wellFormed(violation.description);
    if (fieldViolations.length === 0 && left < Number.POSITIVE_INFINITY) {
      // The first is cut rather than left out: it is what a caller mends first.
      field = cutBytes(field, Math.floor(left / 4));
      description = cutBytes(description, Math.floor(left / 2));
    }
    left -= Buffer.byteLength(field) + Buffer.byteLength(description) + VIOLATION_FRAME;
    if (left < 0) {
      fieldViolations.push({
        field: "",
        description: `and ${violations.length - fieldViolations.length} more`,
      });
      break;
    }
    fieldViolations.push({ field, description });
  }
  return packDetail(BadRequestSchema, { fieldViolations });
}

function packDetail<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Any {
  return create(AnySchema, {
    typeUrl: `type.googleapis.com/${desc.typeName}`,
    value: toBinary(desc, create(desc, init)),
  });
}

/**
 * Details of the error with the word on sending the call again. It replaces that of another instance, which did not see
 * this caller's call.
 */
function metadataOf({ details, repeat }: OrchestratorError): ErrorDetails {
  const { repeat: _, ...own } = details;
  return repeat === "" ? own : { ...own, repeat };
}

function toMetadata(details: ErrorDetails): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(details)) metadata[key] = wellFormed(value).slice(0, MAX_MESSAGE_LENGTH);
  return metadata;
}

function wellFormed(value: string | number | boolean): string {
  return String(value).toWellFormed();
}

function toShortMetadata(details: ErrorDetails): Record<string, string> {
  const metadata: Record<string, string> = {};
  let left: number = HEADER_ROOM.metadata;
  for (const [key, value] of Object.entries(details)) {
    left -= key.length + 8;
    const text = cutBytes(wellFormed(value), Math.max(0, Math.min(HEADER_ROOM.value, left)));
    left -= Buffer.byteLength(text);
    metadata[key] = text;
  }
  return metadata;
}

/** Length of a text in a header, where everything but printable ASCII is percent-encoded. */
function encodedLength(text: string): number {
  return encodeURIComponent(text).length;
}

/** The text, cut so that it has at most `max` bytes; the cut shows. */
function cutBytes(text: string, max: number, lengthOf: (text: string) => number = Buffer.byteLength): string {
  if (text.length * 9 <= max || lengthOf(text) <= max) return text;
  const left = max - lengthOf("…");
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (lengthOf(text.slice(0, middle).toWellFormed()) <= left) low = middle;
    else high = middle - 1;
  }
  return left < 0 ? "" : `${text.slice(0, low).toWellFormed()}…`;
}
