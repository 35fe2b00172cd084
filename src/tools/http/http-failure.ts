/** The only place that maps HTTP failures to task errors. Flows match the types, so they are stable. */
import type { Json } from "../../base/json/json.ts";
import { statusType } from "../../base/net/http-status.ts";
import { abortedOutcome, type FailedOutcome, failedOutcome } from "../outcome.ts";
import { parseRetryAfterMs } from "../retry-after.ts";
import { ServiceMissing } from "../services/directory.ts";
import { AddressRefused, ConnectFailed } from "./guarded-connect.ts";
import { AnswerRefused } from "./http-body.ts";
import { MAX_HEADER_BYTES, SilenceExceeded } from "./http-client.ts";
import { RequestRefused } from "./http-request.ts";

/** Statuses below 500 that may succeed on a retry. */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/** A response with an unexpected status. */
export interface UnexpectedStatus {
  readonly status: number;
  /** The header `Retry-After`; empty when there is none. */
  readonly retryAfter: string;
  readonly now: number;
  readonly message: string;
  /** The body, if it is JSON; null otherwise. */
  readonly details: Json;
}

/** A loop: each of its calls would be made once more for every retry of the one before. */
const LOOP_DETECTED = 508;

/** Its outcome. A retryable one is delayed by its `Retry-After`, if any. */
export function statusOutcome({ status, retryAfter, now, message, details }: UnexpectedStatus): FailedOutcome {
  const retryable = (status >= 500 && status !== LOOP_DETECTED) || RETRYABLE_STATUSES.has(status);
  const nextRetryDelayMs = retryable ? parseRetryAfterMs(retryAfter, now) : undefined;
  return failedOutcome(statusType(status), message, { retryable, nextRetryDelayMs, details });
}

/** How far a request got. */
export interface Progress {
  /** Method and URL without the query, which may contain secrets. */
  where: string;
  /** Whether a server has responded, even with a redirect: it may have had an effect. */
  answered: boolean;
}

/** Outcome of a request that ended without a usable response. */
export function failureOutcome(error: unknown, { where, answered }: Progress, signal: AbortSignal): FailedOutcome {
  const noEffect = !answered;
  if (error instanceof ServiceMissing)
    return failedOutcome("SERVICE_NOT_FOUND", error.message, { retryable: false, noEffect });
  if (error instanceof RequestRefused)
    return failedOutcome("REQUEST_INVALID", error.message, { retryable: false, noEffect });
  if (error instanceof AddressRefused) {
    return failedOutcome("ADDRESS_REFUSED", `${where}: ${error.message}`, { retryable: false, noEffect });
  }
  if (error instanceof AnswerRefused) {
    return failedOutcome(error.type, `${where}: ${error.message}`, { retryable: error.type === "RESPONSE_INVALID" });
  }
  if (error instanceof ConnectFailed) {
    const type = connectType(codeOf(error.cause));
    return failedOutcome(type, `${where}: ${CONNECT_SENTENCES[type]}${suffix(error.cause)}`, {
      retryable: true,
      noEffect,
    });
  }
  if (signal.aborted) return abortedOutcome(signal);
  const code = codeOf(error);
  if (error instanceof SilenceExceeded) {
    return failedOutcome("TIMEOUT", `${where}: no answer came in time`, { retryable: true });
  }
  if (code === "HPE_HEADER_OVERFLOW") {
    const message = `${where}: the headers of the response are larger than ${MAX_HEADER_BYTES} bytes`;
    return failedOutcome("RESPONSE_TOO_LARGE", message, { retryable: false });
  }
  if (code.startsWith("HPE_")) {
    return failedOutcome("RESPONSE_INVALID", `${where}: the response is not valid HTTP (${code})`, { retryable: true });
  }
  return failedOutcome("CONNECTION_LOST", `${where}: the connection ended before the answer did`, { retryable: true });
}

const CONNECT_SENTENCES = {
  CONNECTION_REFUSED: "nobody listens there",
  CONNECT_TIMEOUT: "no connection was made in time",
  DNS_FAILED: "the name cannot be resolved",
  TLS_FAILED: "the secure connection failed",
  CONNECT_FAILED: "the connection failed",
} as const;

function connectType(code: string): keyof typeof CONNECT_SENTENCES {
  if (code === "ECONNREFUSED") return "CONNECTION_REFUSED";
  if (code === "ETIMEDOUT") return "CONNECT_TIMEOUT";
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) return "DNS_FAILED";
  if (code === "EPROTO" || /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH)/.test(code))
    return "TLS_FAILED";
  return "CONNECT_FAILED";
}

function suffix(cause: unknown): string {
  const code = codeOf(cause);
  return code === "" ? "" : ` (${code})`;
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}
