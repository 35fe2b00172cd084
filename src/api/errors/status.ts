/**
 * Errors on the wire: a `google.rpc.Status` with exactly one ErrorInfo, in every protocol. Errors of the catalog keep
 * their entry; all others are bugs and become INTERNAL with an id that is in the log.
 */
import { randomUUID } from "node:crypto";
import type { DescMessage, DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { GRPC_CODE } from "../../base/error-catalog/entry.ts";
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
 * `ErrorInfo.domain` of every error: the root of the contract's packages. It never changes
 * (docs/adr/0015-error-domain.md).
 */
export const ERROR_DOMAIN = "orchestrator";

/** Retry delay for errors without their own. */
const DEFAULT_RETRY_MS = 1_000;

/** Longest message on the wire, characters. */
const MAX_MESSAGE_LENGTH = 1_024;

/**
 * Space for an error in headers or trailers, in bytes on the wire: the message percent-encoded (nine bytes for a
 * Chinese character), the details in base64. Together they stay below the 8 KiB that clients accept by default; some
 * reject all headers beyond 16 KiB.
 */
const HEADER_ROOM = { message: 1_536, status: 4_300, metadata: 1_024, value: 512, resource: 256 } as const;

/** Resource types of errors: the type, and the detail with the name. */
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

/** Request fields that errors with these codes concern, unless the error names one. */
const FIELDS: Partial<Record<ErrorCode, string>> = {
  FILTER_INVALID: "filter",
  PAGE_TOKEN_INVALID: "page_token",
  WATCH_CURSOR_INVALID: "cursor",
};

/** What the log says about the failed call. */
export interface ErrorContext {
  readonly requestId?: string;
  readonly caller?: Caller;
}

/** Converts any error to one of the catalog. Other errors are logged with an id and become INTERNAL with that id. */
export function classifyError(error: unknown, log: Log, method: string, of: ErrorContext = {}): OrchestratorError {
  // The instance that created it has logged it.
  if (error instanceof PassedError) return error;
  if (isOrchestratorError(error)) {
    if (error.code !== "INTERNAL" && error.grpc !== "INTERNAL" && error.grpc !== "DATA_LOSS") return error;
    if (error.details.errorId !== undefined) return error;
  }
  const errorId = randomUUID();
  const { requestId, caller } = of;
  log.error("call failed with an internal error", { method, requestId, tenantId: caller?.tenantId, errorId, error });
  return toError("INTERNAL", { errorId }, { cause: error });
}

/**
 * The error as the caller of `method` sees it. A call with an unknown outcome can be sent again if it only reads, is
 * idempotent, or has a `request_id`; otherwise not.
 */
export function forCall(error: OrchestratorError, method: DescMethod, request: Message | null): OrchestratorError {
  // The instance that made the call has already decided.
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

/** The message in a form that JSON can carry: well-formed, on one line, with limited length. */
function publicMessage(error: OrchestratorError): string {
  const text = error.message.toWellFormed().replaceAll(/[\u0000-\u001f\u007f]+/g, " ");
  return text.length <= MAX_MESSAGE_LENGTH ? text : `${text.slice(0, MAX_MESSAGE_LENGTH - 1).toWellFormed()}…`;
}

/**
 * Encodes a message for `grpc-message`: percent-encoded except for printable ASCII, because some libraries decode only
 * what needs encoding.
 */
export function encodeMessage(text: string): string {
  return text.replaceAll(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}

/** Options of a status. */
export interface StatusOptions {
  /** Request id for RequestInfo. */
  readonly requestId?: string;
  /**
   * The details go into headers or trailers: everything is limited, and the last violation says how many were left out.
   */
  readonly inHeaders?: boolean;
}

/** Converts an error to `google.rpc.Status`. */
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

/** Violated fields of an error, including a field that its details name. */
function violationsOf(error: OrchestratorError): readonly FieldViolation[] {
  if (error.violations.length > 0 || error.grpc !== "INVALID_ARGUMENT") return error.violations;
  const field = error.details.field ?? FIELDS[error.code];
  if (field === undefined || field === "") return [];
  const { problem } = error.details;
  return [{ field: String(field), description: problem === undefined ? error.message : String(problem) }];
}

/** When the caller can retry, milliseconds; null if a retry does not help or the error does not say. */
export function retryDelayMs(error: OrchestratorError): number | null {
  if (error.repeat === "") return null;
  if (error.retryAfterMs !== undefined) return error.retryAfterMs;
  return error.grpc === "UNAVAILABLE" || error.grpc === "RESOURCE_EXHAUSTED" ? DEFAULT_RETRY_MS : null;
}

/** Bytes of a violation in addition to its texts: tags and lengths, and those of the enclosing detail. */
const VIOLATION_FRAME = 12;
/** Space for the type of the detail and the number of violations left out. */
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
      // The first violation is shortened rather than left out: the caller fixes it first.
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
 * Details of the error with the answer to whether the call can be sent again. It replaces the answer of another
 * instance, which did not see the original call.
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

/** Length of a text in a header, percent-encoded except for printable ASCII. */
function encodedLength(text: string): number {
  return encodeURIComponent(text).length;
}

/** Shortens the text to at most `max` bytes and marks the cut. */
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
