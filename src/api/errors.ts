/**
 * Errors on the wire: every error that leaves the service is a `google.rpc.Status` with exactly one ErrorInfo, whichever protocol carries it.
 * Errors of the catalogue become what the catalogue says; everything else is a bug and becomes INTERNAL with an id that is in the log.
 */
import { randomUUID } from "node:crypto";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { ErrorDetails, OrchestratorError } from "../base/errors.ts";
import { GRPC_CODE, isOrchestratorError, toError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Caller } from "../engine/port.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.ts";
import type { Status } from "../gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";
import { toDuration } from "./mapping/time.ts";

/** `ErrorInfo.domain` of every error: the root of the contract's packages. Fixed for ever (docs/adr/0015-error-domain.md). */
export const ERROR_DOMAIN = "orchestrator";

/** What a caller may wait before the next try when the error itself does not say. */
const DEFAULT_RETRY_MS = 1_000;

/** Longest sentence on the wire; gRPC carries it in a header. */
const MAX_MESSAGE_LENGTH = 1_024;

/** Kinds of resources that errors name: type, and the detail that holds the name. */
const RESOURCES: Readonly<Record<string, { readonly type: string; readonly key: string }>> = {
  RUN_NOT_FOUND: { type: "orchestrator.v1.Run", key: "runId" },
  RUN_ALREADY_EXISTS: { type: "orchestrator.v1.Run", key: "runId" },
  RUN_KEY_OPEN: { type: "orchestrator.v1.Run", key: "runId" },
  RUN_TASK_NOT_FOUND: { type: "orchestrator.v1.RunTask", key: "taskId" },
  FLOW_NOT_FOUND: { type: "orchestrator.v1.Flow", key: "flowId" },
  FLOW_VERSION_EXISTS: { type: "orchestrator.v1.Flow", key: "flowId" },
  TEMPLATE_NOT_FOUND: { type: "orchestrator.v1.Template", key: "templateId" },
  APPROVAL_NOT_FOUND: { type: "orchestrator.v1.Approval", key: "taskId" },
};

/** The error as the catalogue knows it. What is foreign goes to the log with an id, and INTERNAL with that id takes its place. */
export function classifyError(error: unknown, log: Log, method: string, caller?: Caller): OrchestratorError {
  if (isOrchestratorError(error)) {
    if (error.code !== "INTERNAL" && error.grpc !== "INTERNAL" && error.grpc !== "DATA_LOSS") return error;
    if (error.details.errorId !== undefined) return error;
  }
  const errorId = randomUUID();
  log.error("call failed by an internal error", { method, tenantId: caller?.tenantId, errorId, error });
  return toError("INTERNAL", { errorId }, { cause: error });
}

/** The sentence as headers and JSON can carry it: well-formed, on one line, not too long. */
export function publicMessage(error: OrchestratorError): string {
  const text = error.message.toWellFormed().replaceAll(/[\u0000-\u001f\u007f]+/g, " ");
  return text.length <= MAX_MESSAGE_LENGTH ? text : `${text.slice(0, MAX_MESSAGE_LENGTH - 1).toWellFormed()}…`;
}

/**
 * The error as `google.rpc.Status`. `maxViolationBytes` bounds the BadRequest detail, for protocols that carry details in headers; what is left out is counted in
 * the last violation.
 */
export function toStatus(error: OrchestratorError, maxViolationBytes = Number.POSITIVE_INFINITY): Status {
  const details: Any[] = [
    packDetail(ErrorInfoSchema, { reason: error.code, domain: ERROR_DOMAIN, metadata: toMetadata(error.details) }),
  ];
  if (error.violations.length > 0) details.push(packViolations(error, maxViolationBytes));
  const resource = RESOURCES[error.code];
  if (resource !== undefined) {
    details.push(
      packDetail(ResourceInfoSchema, {
        resourceType: resource.type,
        resourceName: wellFormed(error.details[resource.key] ?? ""),
      }),
    );
  }
  const retryMs = retryDelayMs(error);
  if (retryMs !== null) details.push(packDetail(RetryInfoSchema, { retryDelay: toDuration(retryMs) }));
  return create(StatusSchema, { code: GRPC_CODE[error.grpc], message: publicMessage(error), details });
}

/** When the caller may come back, milliseconds; null when coming back does not help or the error says nothing about it. */
export function retryDelayMs(error: OrchestratorError): number | null {
  if (error.retryAfterMs !== undefined) return error.retryAfterMs;
  if (error.retry === "no") return null;
  return error.grpc === "UNAVAILABLE" || error.grpc === "RESOURCE_EXHAUSTED" ? DEFAULT_RETRY_MS : null;
}

function packViolations(error: OrchestratorError, maxBytes: number): Any {
  const fieldViolations: { field: string; description: string }[] = [];
  let bytes = 0;
  for (const violation of error.violations) {
    const place =
      violation.line === undefined
        ? ""
        : `line ${violation.line}${violation.column === undefined ? "" : `, column ${violation.column}`}: `;
    const field = wellFormed(violation.field);
    const description = place + wellFormed(violation.description);
    bytes += Buffer.byteLength(field) + Buffer.byteLength(description) + 8;
    if (bytes > maxBytes) {
      fieldViolations.push({
        field: "",
        description: `${error.violations.length - fieldViolations.length} more are left out here`,
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

function toMetadata(details: ErrorDetails): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(details)) metadata[key] = wellFormed(value).slice(0, MAX_MESSAGE_LENGTH);
  return metadata;
}

function wellFormed(value: string | number | boolean): string {
  return String(value).toWellFormed();
}
